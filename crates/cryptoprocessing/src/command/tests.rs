use super::*;
use crate::{CardId, CustomerId, OrderId, Outcome, Secret, StateAnswer, Unclear};

const URL: &str = "https://plati.exemplu.md/cards/return/card01";

fn terminal(interface: Interface) -> Terminal {
    Terminal::new(interface, "Merchant", Secret::new("hunter2")).unwrap()
}

fn order() -> OrderId {
    OrderId::parse("card01").unwrap()
}

fn card() -> CardId {
    CardId::parse("c-1").unwrap()
}

fn customer() -> Customer {
    let id = CustomerId::parse("ana@exemplu.md").unwrap();
    Customer::new(id, Secret::new("s3cret")).unwrap()
}

fn post(interface: Interface, command: &impl Command) -> String {
    let request = command.request(&terminal(interface)).unwrap();
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    // The sent and the shown form have the same fields, and the secrets are in the sent one alone.
    assert_eq!(
        body.matches('=').count(),
        request.shown().matches('=').count()
    );
    for hidden in ["hunter2", "s3cret", "ana", "060123456", "10.0.0.1"] {
        for shown in [request.shown().to_owned(), format!("{request:?}")] {
            assert!(!shown.contains(hidden), "{shown} has {hidden}");
        }
    }
    let body = percent_encoding::percent_decode_str(&body);
    format!("{} {}", request.path(), body.decode_utf8().unwrap())
}

#[test]
fn a_session_is_asked_for_at_ap_pay() {
    let id = order();
    assert_eq!(
        post(Interface::ApPay, &Init::pay(&id, 1999, URL)),
        format!(
            "/apim/Init Key=Merchant&Data=SessionType=Pay;OrderId=card01;Amount=1999;Url={URL}"
        )
    );
    let init = Init::block(&id, 12480, "https://a.md/{orderid}")
        .with_payer_ip("10.0.0.1")
        .with_template("primaria")
        .with_language("ro")
        .with_product("Chirie; Amount=1")
        .with_description("DEMO-2")
        .with_own("Contract", "7/2026");
    assert_eq!(
        post(Interface::ApPay, &init),
        "/apim/Init Key=Merchant&Data=SessionType=Block;OrderId=card01;Amount=12480;\
         Url=https://a.md/{orderid};IP=10.0.0.1;TemplateTag=primaria;Language=RO;\
         Product=Chirie Amount 1;Total=124.80;Description=DEMO-2;Contract=7/2026"
    );
}

#[test]
fn data_is_encoded_once_and_spaces_are_no_plus() {
    let id = order();
    let init = Init::pay(&id, 5, "https://a.md/").with_product("Plată școlară");
    let request = init.request(&terminal(Interface::ApPay)).unwrap();
    assert_eq!(
        String::from_utf8(request.body().to_vec()).unwrap(),
        "Key=Merchant&Data=SessionType%3DPay%3BOrderId%3Dcard01%3BAmount%3D5%3B\
         Url%3Dhttps%3A%2F%2Fa.md%2F%3BProduct%3DPlat%C4%83%20%C8%99colar%C4%83%3BTotal%3D0.05"
    );
}

#[test]
fn the_wallet_names_its_customer() {
    let (id, customer, card) = (order(), customer(), card());
    let init = Init::pay(&id, 1999, URL)
        .with_customer(&customer)
        .with_card(&card);
    assert_eq!(
        post(Interface::Wallet, &init),
        format!(
            "/vwapi/Init VWID=Merchant&DATA=VWUserLgn=ana@exemplu.md;VWUserPsw=s3cret;\
             SessionType=Pay;OrderId=card01;Amount=1999;Url={URL};CardId=c-1"
        )
    );
    assert_eq!(
        post(Interface::Wallet, &Init::add(&customer, URL)),
        format!(
            "/vwapi/Init VWID=Merchant&DATA=VWUserLgn=ana@exemplu.md;VWUserPsw=s3cret;\
             SessionType=Add;Url={URL}"
        )
    );
}

#[test]
fn the_commands_of_payments_are_sent_as_each_interface_has_them() {
    let order_id = order();
    let (ask, unblock) = (
        GetState { order_id: order() },
        Unblock { order_id: order() },
    );
    let charge = |amount| Charge {
        order_id: order(),
        amount,
    };
    let refund = |amount| Refund {
        order_id: order_id.clone(),
        amount,
    };
    let ap_pay = Interface::ApPay;
    assert_eq!(
        post(ap_pay, &ask),
        "/apim/GetState Key=Merchant&OrderId=card01"
    );
    assert_eq!(
        post(ap_pay, &charge(Some(5))),
        "/apim/Charge Key=Merchant&Password=hunter2&OrderId=card01&Amount=5"
    );
    assert_eq!(
        post(ap_pay, &charge(None)),
        "/apim/Charge Key=Merchant&Password=hunter2&OrderId=card01"
    );
    assert_eq!(
        post(ap_pay, &unblock),
        "/apim/Unblock Key=Merchant&Password=hunter2&OrderId=card01"
    );
    assert_eq!(
        post(ap_pay, &refund(Some(7))),
        "/apim/Refund Key=Merchant&Password=hunter2&OrderId=card01&Amount=7"
    );
    let wallet = Interface::Wallet;
    assert_eq!(
        post(wallet, &ask),
        "/vwapi/GetState Key=Merchant&OrderId=card01"
    );
    assert_eq!(
        post(wallet, &charge(Some(5))),
        "/vwapi/Charge VWID=Merchant&Password=hunter2&OrderId=card01&Amount=5"
    );
    assert_eq!(
        post(wallet, &unblock),
        "/vwapi/Unblock VWID=Merchant&Password=hunter2&OrderId=card01"
    );
    assert_eq!(
        post(wallet, &refund(Some(7))),
        "/vwapi/Refund VWID=Merchant&DATA=Password=hunter2;OrderId=card01;Amount=7"
    );
    assert_eq!(
        post(wallet, &refund(None)),
        "/vwapi/Refund VWID=Merchant&DATA=Password=hunter2;OrderId=card01"
    );
}

#[test]
fn the_older_command_for_the_state_has_the_older_form() {
    let ask = GetState { order_id: order() };
    let older = |interface| {
        let terminal = terminal(interface).with_state_command(StateCommand::PayStatus);
        let request = ask.request(&terminal).unwrap();
        (terminal, request)
    };
    let (terminal, request) = older(Interface::Wallet);
    assert_eq!(request.path(), "/vwapi/PayStatus");
    assert_eq!(request.body(), b"VWID=Merchant&DATA=OrderId%3Dcard01");
    assert_eq!(
        older(Interface::ApPay).1.body(),
        b"Key=Merchant&OrderId=card01"
    );
    let answer = |name: &str| {
        let answer = format!(r#"<{name} Success="True" OrderId="card01" State="New"/>"#);
        ask.outcome(&terminal, 200, answer.as_bytes())
    };
    assert!(matches!(answer("PayStatus"), StateAnswer::Found(_)));
    assert!(matches!(answer("GetState"), StateAnswer::Unknown(_)));
}

#[test]
fn the_commands_of_the_wallet_are_sent_in_data() {
    let who = "VWUserLgn=ana@exemplu.md;VWUserPsw=s3cret";
    let sent =
        |command: &str, rest: &str| format!("/vwapi/{command} VWID=Merchant&DATA={who}{rest}");
    let of = |customer: Customer, phone| Register {
        customer,
        phone,
        email: None,
    };
    assert_eq!(
        post(Interface::Wallet, &of(customer(), None)),
        sent("Register", "")
    );
    assert_eq!(
        post(
            Interface::Wallet,
            &of(customer(), Some(Secret::new("060123456")))
        ),
        sent("Register", ";PhoneNumber=060123456")
    );
    let customer = customer();
    let update = Update {
        customer: customer.clone(),
        phone: Some(Secret::new("060123456")),
        email: Some(Secret::new("ana@exemplu.md")),
    };
    let wallet = Interface::Wallet;
    assert_eq!(
        post(wallet, &update),
        sent("Update", ";PhoneNumber=060123456;Email=ana@exemplu.md")
    );
    let check = Check {
        customer: customer.clone(),
    };
    assert_eq!(post(wallet, &check), sent("Check", ""));
    let list = GetList {
        customer: customer.clone(),
    };
    assert_eq!(post(wallet, &list), sent("GetList", ""));
    let remove = Remove {
        customer: customer.clone(),
        card: card(),
    };
    assert_eq!(post(wallet, &remove), sent("Remove", ";CardId=c-1"));
    let activate = Activate {
        customer: customer.clone(),
        card: card(),
        amount: 107,
    };
    assert_eq!(
        post(wallet, &activate),
        sent("Activate", ";CardId=c-1;Amount=107")
    );
    let pay = PaySaved {
        customer: customer.clone(),
        card: card(),
        order_id: order(),
        amount: 1999,
    };
    assert_eq!(
        post(wallet, &pay),
        sent("Pay", ";CardId=c-1;OrderId=card01;Amount=1999")
    );
    let delete = Delete {
        customer: customer.id,
    };
    assert_eq!(
        post(wallet, &delete),
        "/vwapi/Delete VWID=Merchant&DATA=VWUserLgn=ana@exemplu.md;Password=hunter2"
    );
    let refused = delete.request(&terminal(Interface::ApPay)).unwrap_err();
    assert_eq!(refused, Unsendable::NotWallet { command: "Delete" });
}

#[test]
fn what_could_mean_something_else_is_not_sent() {
    let (id, customer, card) = (order(), customer(), card());
    let refused = |interface, init: &Init<'_>| init.request(&terminal(interface)).unwrap_err();
    let pay = |url| Init::pay(&id, 5, url);
    let ap_pay = Interface::ApPay;
    for url in [
        "https://a.md/;Amount=1",
        "https://a.md/%3BAmount%3D1",
        "https://a.md/?a=b&c=d",
        "https://a.md/a+b",
        "https://a.md/\r\n",
    ] {
        let refused = refused(ap_pay, &pay(url));
        assert_eq!(refused, Unsendable::Character { name: "Url" }, "{url}");
    }
    for (name, value) in [("IP", "1;2"), ("TemplateTag", "a%b"), ("Language", "r+o")] {
        let init = match name {
            "IP" => pay(URL).with_payer_ip(value),
            "TemplateTag" => pay(URL).with_template(value),
            _ => pay(URL).with_language(value),
        };
        assert_eq!(refused(ap_pay, &init), Unsendable::Character { name });
    }
    for name in ["", "Amount", "amount", "a;b", "a=b", "ș"] {
        let init = pay(URL).with_own(name, "x");
        assert_eq!(refused(ap_pay, &init), Unsendable::Name, "{name}");
    }
    let nothing = Init::pay(&id, 0, URL);
    assert_eq!(refused(ap_pay, &nothing), Unsendable::NoAmount);
    let refund = Refund {
        order_id: order(),
        amount: Some(0),
    };
    let refund = refund.request(&terminal(ap_pay)).unwrap_err();
    assert_eq!(refund, Unsendable::NoAmount);
    let with_customer = pay(URL).with_customer(&customer);
    assert_eq!(refused(ap_pay, &with_customer), Unsendable::Customer);
    assert_eq!(refused(Interface::Wallet, &pay(URL)), Unsendable::Customer);
    let with_card = pay(URL).with_card(&card);
    assert_eq!(refused(ap_pay, &with_card), Unsendable::Customer);
    for wrong in ["", "a;b", "a%b"] {
        assert!(Terminal::new(ap_pay, wrong, Secret::new("x")).is_err());
        assert!(Terminal::new(ap_pay, "x", Secret::new(wrong)).is_err());
        assert!(Customer::new(customer.id.clone(), Secret::new(wrong)).is_err());
        assert!(terminal(ap_pay).with_path(wrong).is_err());
    }
    assert!(terminal(ap_pay).with_path("a/b").is_err());
}

#[test]
fn a_session_is_one_for_the_payment_and_amount_that_were_asked_for() {
    let (id, terminal) = (order(), terminal(Interface::ApPay));
    let init = Init::pay(&id, 1999, URL);
    let read = |answer: &str| init.outcome(&terminal, 200, answer.as_bytes());
    let Outcome::Done(opened) = read(
        r#"<Init Success="True" OrderId="card01" Amount="1999" SessionId="0b9a1c2d-0000-4000-8000-000000000000"/>"#,
    ) else {
        panic!("no session")
    };
    assert_eq!(
        terminal.page(&opened.session, Purpose::Pay),
        "/apim/Pay?SessionId=0b9a1c2d-0000-4000-8000-000000000000"
    );
    assert!(
        terminal
            .page(&opened.session, Purpose::Add)
            .starts_with("/apim/Add?")
    );
    for (answer, why) in [
        (
            r#"<Init Success="True" OrderId="card01" Amount="2000" SessionId="a"/>"#,
            Unclear::OtherAmount,
        ),
        (
            r#"<Init Success="True" OrderId="card01" Amount="1" SessionId="a"/>"#,
            Unclear::OtherAmount,
        ),
        (
            r#"<Init Success="True" OrderId="card02" Amount="1999" SessionId="a"/>"#,
            Unclear::OtherOrder,
        ),
        (
            r#"<Init Success="True" OrderId="card01" Amount="1999"/>"#,
            Unclear::Lacks("SessionId"),
        ),
        (
            r#"<Init Success="True" OrderId="card01" Amount="1999" SessionId="a&amp;b"/>"#,
            Unclear::Unreadable("SessionId"),
        ),
    ] {
        assert_eq!(read(answer), Outcome::Unknown(why), "{answer}");
    }
}

#[test]
fn refunds_and_holds_tell_what_remains() {
    let terminal = terminal(Interface::ApPay);
    let refund = Refund {
        order_id: order(),
        amount: Some(7),
    };
    let answer = br#"<Refund Success="True" OrderId="card01" NewAmount="1992"/>"#;
    assert_eq!(
        refund.outcome(&terminal, 200, answer),
        Outcome::Done(Some(1992))
    );
    let unblock = Unblock { order_id: order() };
    let answer = br#"<Unblock Success="True" OrderId="card01" NewAmount="0"/>"#;
    assert_eq!(
        unblock.outcome(&terminal, 200, answer),
        Outcome::Done(Some(0))
    );
    let answer = br#"<Charge Success="True" OrderId="card01" NewAmount="0"/>"#;
    assert!(matches!(
        unblock.outcome(&terminal, 200, answer),
        Outcome::Unknown(_)
    ));
}

#[test]
fn the_cards_of_a_customer_are_read() {
    let terminal = terminal(Interface::Wallet);
    let list = GetList {
        customer: customer(),
    };
    let answer = br#"<GetList Success="True" VWUserLgn="Ana@exemplu.md">
        <Item CardName="411111xxxxxx1111" CardId="c-1" CardHolder="ANA POPESCU" Status="isactive" NoCVV="True" Expired="False"/>
        <Item CardName="4111111111100031" CardId="c-2" Status="NotActive"/><Other CardId="c-3"/></GetList>"#;
    let Outcome::Done(cards) = list.outcome(&terminal, 200, answer) else {
        panic!("no cards")
    };
    let [first, second] = cards.as_slice() else {
        panic!("{} cards", cards.len())
    };
    assert_eq!((first.id.as_str(), first.is_active), ("c-1", true));
    assert!(first.without_code && !first.is_expired);
    assert_eq!(first.holder.as_deref(), Some("ANA POPESCU"));
    assert!(!format!("{first:?}").contains("ANA"));
    assert_eq!(
        (second.name.as_str(), second.is_active),
        ("411111******0031", false)
    );
    let other = br#"<GetList Success="True" VWUserLgn="ion"/>"#;
    assert_eq!(
        list.outcome(&terminal, 200, other),
        Outcome::Unknown(Unclear::OtherCustomer)
    );
    let other = br#"<GetList Success="True"><Item CardName="x"/></GetList>"#;
    assert_eq!(
        list.outcome(&terminal, 200, other),
        Outcome::Unknown(Unclear::Lacks("CardId"))
    );
}

#[test]
fn debug_shows_no_secret_of_any_command() {
    let register = Register {
        customer: customer(),
        phone: Some(Secret::new("060123456")),
        email: None,
    };
    let shown = format!("{register:?} {:?}", terminal(Interface::Wallet));
    for hidden in ["s3cret", "hunter2", "ana@", "060123456"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}
