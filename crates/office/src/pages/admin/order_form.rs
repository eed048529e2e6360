//! The forms of an order: for a new order, and for an amendment.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tables::Cell;

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk, encode},
    orders::{Listed, own},
};
use crate::{
    domain::time,
    json::{FieldError, LocalizedJson},
    store::Platform,
};

/// A field of a form. Its name is that of the API's member.
pub struct Field {
    pub name: &'static str,
    pub text: &'static str,
    pub kind: &'static str,
    pub is_required: bool,
    pub longest: u16,
}

/// The fields of an order. An amendment has all of them except the number.
const FIELDS: [Field; 6] = [
    Field {
        name: "order_key",
        text: "order-number-optional",
        kind: "text",
        is_required: false,
        longest: 36,
    },
    Field {
        name: "reason",
        text: "for-what",
        kind: "text",
        is_required: true,
        longest: 50,
    },
    Field {
        name: "amount_due",
        text: "amount",
        kind: "text",
        is_required: true,
        longest: 20,
    },
    Field {
        name: "due_date",
        text: "due-date",
        kind: "date",
        is_required: false,
        longest: 10,
    },
    Field {
        name: "customer_name",
        text: "payer",
        kind: "text",
        is_required: false,
        longest: 60,
    },
    Field {
        name: "customer_id",
        text: "payer-code",
        kind: "text",
        is_required: false,
        longest: 13,
    },
];

/// Statuses in which an order can be amended.
const AMENDABLE: [&str; 3] = ["Active", "PartiallyPaid", "Expired"];

/// The field that shows a member's mistakes.
fn field_of(member: &str) -> &str {
    match member {
        "lines[0].amount_due" | "total_amount_due" => "amount_due",
        "lines[0].reason" => "reason",
        other => other,
    }
}

/// Fields with their values and their mistakes. Mistakes that belong to none of these fields come first.
pub fn fields<'f, P: Platform>(
    desk: &Desk<'_, P>,
    fields: impl Iterator<Item = &'f Field> + Clone,
    value: &dyn Fn(&str) -> Option<String>,
    wrong: &[FieldError],
) -> Markup {
    let of = |name: &str| wrong.iter().find(|error| field_of(&error.field) == name);
    let is_elsewhere = |error: &&FieldError| {
        let mut names = fields.clone().map(|field| field.name);
        names.all(|name| name != field_of(&error.field))
    };
    let mut elsewhere = wrong.iter().filter(is_elsewhere).peekable();
    html! {
        @if !wrong.is_empty() {
            div.banner.bad role="alert" {
                strong { (desk.t("not-done")) }
                @if elsewhere.peek().is_some() {
                    ul { @for error in elsewhere { li { (desk.wrong([error])) } } }
                }
            }
        }
        @for field in fields {
            @let error = of(field.name);
            @let described = error.map(|_| format!("wrong-{}", field.name));
            label {
                span { (desk.t(field.text)) }
                input name=(field.name) type=(field.kind) required[field.is_required] maxlength=(field.longest)
                    value=[value(field.name)] aria-invalid=[error.map(|_| "true")] aria-describedby=[&described];
                @if let (Some(error), Some(id)) = (error, &described) { span.wrong id=(id) { (desk.view.said(&error.detail)) } }
            }
        }
    }
}

/// The mistakes in a form, so that it can be shown again. A mistake of the form as a whole names no field.
///
/// # Errors
/// The problem itself if other input would not help.
pub fn mistakes(problem: Problem) -> Result<Vec<FieldError>, Problem> {
    if !matches!(
        problem.status(),
        StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY
    ) {
        return Err(problem);
    }
    let (detail, errors) = problem.into_parts();
    Ok(match errors.is_empty() {
        true => vec![FieldError::new("", detail)],
        false => errors,
    })
}

/// An amount of the form, read by the rules for a table's cell: an amount that has two readings is refused.
///
/// # Errors
/// A [`Problem`] if it is not an amount, or if it has two readings.
pub fn amount<P: Platform>(
    desk: &Desk<'_, P>,
    name: &'static str,
) -> Result<Option<String>, Problem> {
    match desk.form.text(name) {
        Some(typed) => typed_amount(name, typed),
        None => Ok(None),
    }
}

/// An amount that was typed, read by the rules for a table's cell.
///
/// # Errors
/// A [`Problem`] if it is not an amount, or if it has two readings.
pub fn typed_amount(name: &'static str, typed: &str) -> Result<Option<String>, Problem> {
    let amount = Cell::Written(typed.to_owned()).amount();
    let amount = amount.map_err(|error| Problem::member(name, error))?;
    Ok(amount.map(|amount| amount.to_string()))
}

/// The form for a new order.
pub fn new<P: Platform>(desk: &Desk<'_, P>, status: StatusCode, wrong: &[FieldError]) -> Answer {
    let title = desk.t("new-order");
    let typed = |name: &str| desk.form.text(name).map(str::to_owned);
    // The idempotency key, so that a form that is sent twice registers one order.
    let fresh = || format!("{:016x}{:016x}", desk.store.random(), desk.store.random());
    let once = typed("once").unwrap_or_else(fresh);
    let service = typed("service_id").unwrap_or_default();
    let content = html! {
        h1 { (title) }
        form.card.narrow method="post" action=(desk.link("/admin/orders/new")) {
            (desk.form_fields())
            input type="hidden" name="once" value=(once);
            input type="hidden" name="back" value="/admin/orders/new";
            (services(desk, &service))
            (fields(desk, FIELDS.iter(), &typed, wrong))
            button.primary type="submit" { (desk.t("register")) }
        }
    };
    desk.page(status, &Page::new(title, content))
}

/// The services to choose from.
pub fn services<P: Platform>(desk: &Desk<'_, P>, chosen: &str) -> Markup {
    html! {
        label {
            span { (desk.t("service")) }
            select name="service_id" required {
                @for id in desk.config.service_ids() { option selected[id.as_str() == chosen] { (id) } }
            }
        }
    }
}

/// Registers a new order.
pub async fn register<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    match try_register(desk).await {
        Ok(order) => Ok(Answer::see_other(
            &desk.link(&format!("{}?done=1", order.path())),
        )),
        Err(problem) if problem.status() == StatusCode::PRECONDITION_FAILED => {
            let taken = FieldError::new("order_key", "is the number of another order");
            Ok(new(desk, problem.status(), &[taken]))
        }
        Err(problem) => {
            let status = problem.status();
            Ok(new(desk, status, &mistakes(problem)?))
        }
    }
}

async fn try_register<P: Platform>(desk: &Desk<'_, P>) -> Result<Listed, Problem> {
    let text = |name| desk.form.text(name);
    let amount = amount(desk, "amount_due")?;
    let mut order = json!({
        "reason": text("reason"),
        "lines": [{"line_id": "1", "reason": text("reason"), "amount_due": amount}]
    });
    if let Some(order) = order.as_object_mut() {
        for name in ["due_date", "customer_name", "customer_id"] {
            if let Some(value) = text(name) {
                order.insert(name.to_owned(), json!(value));
            }
        }
    }
    let service = text("service_id").unwrap_or_default();
    let ask = match text("order_key") {
        Some(key) => {
            let address = format!("orders/{}/{}", encode(service), encode(key));
            Ask::new("PUT", address).only_new()
        }
        None => {
            if let Some(order) = order.as_object_mut() {
                order.insert("service_id".to_owned(), json!(service));
            }
            Ask::new("POST", "orders").once(text("once").unwrap_or_default())
        }
    };
    desk.document(ask.json(&order)).await
}

/// The members of an order that can be amended, as the API answers them.
#[derive(Deserialize)]
pub struct Amendable {
    status: String,
    reason: Option<Value>,
    due_date: Option<String>,
    customer_name: Option<String>,
    customer_id: Option<String>,
    lines: Vec<Map<String, Value>>,
    #[serde(default)]
    amounts: Vec<Value>,
}

impl Amendable {
    /// The order's only line; `None` if there are several, or if the amount depends on the day.
    fn only_line(&self) -> Option<&Map<String, Value>> {
        match self.lines.as_slice() {
            [line] if self.amounts.is_empty() => Some(line),
            _ => None,
        }
    }

    /// The value that a field shows.
    fn value<P: Platform>(&self, desk: &Desk<'_, P>, name: &str) -> Option<String> {
        match name {
            "reason" => {
                let reason = self.reason.clone()?;
                let reason: LocalizedJson = serde_json::from_value(reason).ok()?;
                Some(own(desk, Some(&reason)))
            }
            "amount_due" => {
                let amount = self.only_line()?.get("amount_due")?;
                amount.as_str().map(str::to_owned)
            }
            // The day only. The hour is kept unless the day changes.
            "due_date" => {
                let due = time::parse(self.due_date.as_ref()?).ok()?;
                Some(time::date(due).to_string())
            }
            "customer_name" => self.customer_name.clone(),
            "customer_id" => self.customer_id.clone(),
            _ => None,
        }
    }

    fn fields(&self) -> impl Iterator<Item = &'static Field> + Clone {
        let has_amount = self.only_line().is_some();
        let fields = FIELDS.iter().filter(|field| field.name != "order_key");
        fields.filter(move |field| has_amount || field.name != "amount_due")
    }

    /// The reason with a new text. If it has several languages, only the text that the page shows is replaced.
    fn reason<P: Platform>(&self, desk: &Desk<'_, P>, text: Option<&str>) -> Value {
        let Some(Value::Object(texts)) = &self.reason else {
            return json!(text);
        };
        let Some(text) = text else {
            return Value::Null;
        };
        let mut texts = texts.clone();
        let code = desk.view.language().code();
        let shown = if texts.contains_key(code) { code } else { "ro" };
        texts.insert(shown.to_owned(), json!(text));
        Value::Object(texts)
    }

    /// The changes that a form makes, as a merge patch. Fields that are unchanged are left out.
    fn patch<P: Platform>(&self, desk: &Desk<'_, P>) -> Result<Value, Problem> {
        let mut patch = Map::new();
        let mut line = self.only_line().cloned();
        for field in self.fields() {
            let name = field.name;
            let typed = match name {
                "amount_due" => amount(desk, name)?,
                _ => desk.form.text(name).map(str::to_owned),
            };
            if typed == self.value(desk, name) {
                continue;
            }
            match name {
                "amount_due" => {
                    if let Some(line) = &mut line {
                        line.insert(name.to_owned(), json!(typed));
                    }
                }
                "reason" => {
                    let reason = self.reason(desk, typed.as_deref());
                    // The only line has the reason of the order, as in the form for a new order.
                    if let Some(line) = &mut line
                        && line.get("reason") == self.reason.as_ref()
                    {
                        line.insert(name.to_owned(), reason.clone());
                    }
                    patch.insert(name.to_owned(), reason);
                }
                _ => {
                    patch.insert(name.to_owned(), json!(typed));
                }
            }
        }
        if let Some(line) = line.filter(|line| Some(line) != self.only_line()) {
            patch.insert("lines".to_owned(), json!([line]));
        }
        Ok(Value::Object(patch))
    }
}

/// The form that amends an order, if it can be amended.
pub fn amending<P: Platform>(
    desk: &Desk<'_, P>,
    path: &str,
    etag: &str,
    order: &Amendable,
) -> Option<Markup> {
    let value = |name: &str| order.value(desk, name);
    let is_offered = AMENDABLE.contains(&order.status.as_str());
    is_offered.then(|| amend_form(desk, path, etag, order, &value, &[]))
}

fn amend_form<P: Platform>(
    desk: &Desk<'_, P>,
    path: &str,
    etag: &str,
    order: &Amendable,
    value: &dyn Fn(&str) -> Option<String>,
    wrong: &[FieldError],
) -> Markup {
    html! {
        form.narrow method="post" action=(desk.link(path)) {
            (desk.form_fields())
            input type="hidden" name="etag" value=(etag);
            input type="hidden" name="amend" value="1";
            input type="hidden" name="back" value=(path);
            (fields(desk, order.fields(), value, wrong))
            button.primary type="submit" { (desk.t("amend")) }
        }
    }
}

/// Amends an order. After a mistake it shows the form again.
pub async fn amend<P: Platform>(
    desk: &Desk<'_, P>,
    path: &str,
    etag: &str,
) -> Result<Answer, Problem> {
    let order: Amendable = desk.document(Ask::get(path)).await?;
    let done = match order.patch(desk) {
        Ok(patch) => {
            let ask = Ask::new("PATCH", path).body(
                "application/merge-patch+json",
                patch.to_string().into_bytes(),
            );
            desk.call(ask.if_match(etag)).await.map(|_| ())
        }
        Err(problem) => Err(problem),
    };
    let here = format!("/admin/{path}");
    let Err(problem) = done else {
        return Ok(Answer::see_other(&desk.link(&format!("{here}?done=1"))));
    };
    let status = problem.status();
    let wrong = mistakes(problem)?;
    let title = desk.t("amend-order");
    let typed = |name: &str| desk.form.text(name).map(str::to_owned);
    let content = html! {
        h1 { (title) }
        section.card { (amend_form(desk, &here, etag, &order, &typed, &wrong)) }
        p { a href=(desk.link(&here)) { (desk.t("to-order")) } }
    };
    Ok(desk.page(status, &Page::new(title, content)))
}
