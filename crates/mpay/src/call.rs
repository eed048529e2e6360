//! `mpay call`: one call, as MPay makes it.

use std::{io, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use mpay::{development::SERVICE_ID, roles::Roles};
use mpay_client::{Answer, Client, Confirmation, OrderDetails};
use mpay_domain::Money;

use crate::terminal::{Page, clean, fit, width};

/// The arguments of `mpay call`: the operation, the provider, and the keys that play MPay.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    operation: Operation,
    /// The provider.
    #[arg(long, global = true, default_value = "http://127.0.0.1:3000/")]
    url: String,
    /// ServiceID.
    #[arg(long, global = true, default_value = SERVICE_ID)]
    service: String,
    #[command(flatten)]
    roles: Roles,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// GetOrderDetails: what is there to be paid.
    Details {
        /// OrderKey.
        #[arg(value_name = "KEY")]
        order_key: String,
        /// Language of texts: ro, ru or en.
        #[arg(long, default_value = "ro")]
        language: String,
    },
    /// ConfirmOrderPayment: says that an order was paid.
    Confirm {
        /// OrderKey.
        #[arg(value_name = "KEY")]
        order_key: String,
        /// Amount paid [default: all that is due].
        #[arg(long)]
        amount: Option<String>,
        /// Amount paid for one line, several times for several lines; the amount is their sum
        /// [default: the amount is spread over the lines in their order].
        #[arg(long = "line", value_name = "LINEID=AMOUNT", conflicts_with = "amount", value_parser = line)]
        lines: Vec<(String, String)>,
        /// PaymentID; give the same again to repeat a confirmation [default: a new one].
        #[arg(long)]
        payment_id: Option<String>,
        /// Time of payment, local time of Chişinău [default: now].
        #[arg(long, value_name = "TIME")]
        paid_at: Option<String>,
    },
}

/// Makes the call. Gives 0 for a result, 1 for a fault.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let cast = arguments.roles.cast()?;
    let client = Client::new(&arguments.url, cast.signer()?, cast.provider()?)
        .with_algorithms(arguments.roles.algorithms());
    match &arguments.operation {
        Operation::Details {
            order_key,
            language,
        } => {
            let answer = client.details(&arguments.service, order_key, language)?;
            report(answer, |orders| {
                if orders.is_empty() {
                    say("No such order.")?;
                }
                orders.iter().try_for_each(print_order)
            })
        }
        Operation::Confirm {
            order_key,
            amount,
            lines,
            payment_id,
            paid_at,
        } => {
            let order = match client.details(&arguments.service, order_key, "ro")? {
                Answer::Fault(fault) => return report(Answer::<()>::Fault(fault), |()| Ok(())),
                Answer::Result(orders) => orders.into_iter().next().context("no such order")?,
            };
            let (total, lines) = match lines.as_slice() {
                [] => spread(&order, amount.as_deref())?,
                lines => (sum(lines)?, lines.to_vec()),
            };
            let confirmation = Confirmation {
                service_id: arguments.service.clone(),
                order_key: order_key.clone(),
                payment_id: payment_id
                    .clone()
                    .unwrap_or_else(Confirmation::new_payment_id),
                currency: order.get("Currency").unwrap_or("MDL").to_owned(),
                total,
                paid_at: paid_at.clone().unwrap_or_else(Confirmation::paid_now),
                lines,
                ..Confirmation::default()
            };
            report(client.confirm(&confirmation)?, |()| {
                say(&format!(
                    "Confirmed: {} {} for order {order_key}, payment {}",
                    confirmation.total, confirmation.currency, confirmation.payment_id
                ))
            })
        }
    }
}

fn report<T>(
    answer: Answer<T>,
    print: impl FnOnce(T) -> io::Result<()>,
) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Result(result) => {
            print(result)?;
            Ok(ExitCode::SUCCESS)
        }
        Answer::Fault(fault) => {
            say(&format!("Fault {}: {}", fault.code, fault.reason))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut page = Page::new();
    page.line(line);
    page.print()
}

/// Reads `--line`.
fn line(argument: &str) -> Result<(String, String), String> {
    match argument.rsplit_once('=') {
        Some((id, amount)) if !id.is_empty() => Ok((id.to_owned(), amount.to_owned())),
        _ => Err("expected LINEID=AMOUNT".to_owned()),
    }
}

fn sum(lines: &[(String, String)]) -> anyhow::Result<String> {
    let mut total = Money::ZERO;
    for (id, amount) in lines {
        total = total
            + Money::parse(amount)
                .map_err(|error| anyhow::anyhow!("--line {id}={amount} {error}"))?;
    }
    Ok(total.to_string())
}

/// The sum that is paid, and its share for each line.
fn spread(
    order: &OrderDetails,
    amount: Option<&str>,
) -> anyhow::Result<(String, Vec<(String, String)>)> {
    let due = order.get("TotalAmountDue").map(Money::parse).transpose()?;
    let total = match amount {
        Some(amount) => {
            Money::parse(amount).map_err(|error| anyhow::anyhow!("--amount {amount} {error}"))?
        }
        None => match due {
            Some(due) if !due.is_zero() => due,
            Some(_) => bail!("nothing is due any more: give --amount to pay all the same"),
            None => bail!("the order's amount is not known: give --amount"),
        },
    };
    let lines = order.spread(total)?.into_iter();
    Ok((
        total.to_string(),
        lines.map(|(id, share)| (id, share.to_string())).collect(),
    ))
}

fn print_order(order: &OrderDetails) -> io::Result<()> {
    let text = |name| order.get(name).unwrap_or("—");
    let mut page = Page::new();
    let mut field = |label: &str, value: &str| page.line(format!("{label:<10} {value}"));
    let key = format!("{} of service {}", text("OrderKey"), text("ServiceID"));
    field("Order", &key);
    field("Reason", text("Reason"));
    field("Status", text("Status"));
    for (name, label) in [
        ("CustomerName", "Customer"),
        ("CustomerID", "IDNP/IDNO"),
        ("IssuedAt", "Issued"),
        ("DueDate", "Due"),
    ] {
        if let Some(value) = order.get(name) {
            field(label, value);
        }
    }
    for (flag, label) in [
        ("AllowPartialPayments", "may be paid in part"),
        ("AllowAdvancePayments", "may be paid in advance"),
    ] {
        if order.get(flag) == Some("true") {
            field("", label);
        }
    }
    for property in &order.properties {
        let text = |name| property.get(name).unwrap_or_default();
        field("", &format!("{}: {}", text("DisplayName"), text("Value")));
    }
    let currency = text("Currency");
    let reasons = order.lines.iter().filter_map(|line| line.get("Reason"));
    let columns = reasons
        .map(|reason| width(&clean(reason)))
        .chain([width("Total due")])
        .max()
        .unwrap_or_default();
    page.gap();
    let mut sum = |reason: &str, amount: &str| {
        let reason = fit(reason, columns);
        page.line(format!("  {reason}  {amount:>14} {currency}"));
    };
    for line in &order.lines {
        let amount = line.get("AmountDue").unwrap_or("not known");
        sum(line.get("Reason").unwrap_or("—"), amount);
    }
    sum(
        "Total due",
        order.get("TotalAmountDue").unwrap_or("not known"),
    );
    page.print()
}
