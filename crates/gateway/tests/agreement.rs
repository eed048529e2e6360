//! Agreement of the two sides: this gateway takes every request of the provider's side without a
//! complaint, and the provider's side reads every answer. Neither has code of the other.

use cryptoprocessing::{
    Activate, Charge, Check, Command, Customer, CustomerId, Delete, ErrCode, GetList, GetState,
    Init, Interface, Notification, OrderId, Outcome, PaySaved, Refund, Register, Remove, Secret,
    State, StateAnswer, StateCommand, Terminal, Unblock, Update,
};
use mpay_gateway::{Answer, Gateway, Mischief, Options, Plan};

const URL: &str = "https://plati.exemplu.md/cards/return/{orderid}";
const PAYS: &str = "4111111111100031";

struct Shop {
    gateway: Gateway,
    terminal: Terminal,
}

impl Shop {
    fn new(interface: Interface) -> Self {
        Self {
            gateway: Gateway::new(Options::default()),
            terminal: Terminal::new(interface, "Merchant", Secret::new("123")).unwrap(),
        }
    }

    /// Sends a command. A missing answer has the status 0.
    fn send<C: Command>(&self, command: &C) -> C::Outcome {
        let request = command.request(&self.terminal).unwrap();
        let (path, name) = request.path()[1..].split_once('/').unwrap();
        let interface = mpay_gateway::Interface::of(path).unwrap();
        let form = Some("application/x-www-form-urlencoded");
        let answer = self
            .gateway
            .command(interface, name, form, "", request.body());
        let journal = self.gateway.journal();
        let complaint = journal.last().unwrap().complaint.clone();
        assert_eq!(complaint, None, "{request:?}");
        match answer {
            Answer::Given { status, body, .. } => {
                command.outcome(&self.terminal, status, body.as_bytes())
            }
            Answer::Lost => command.outcome(&self.terminal, 0, b""),
        }
    }

    fn state(&self, id: &OrderId) -> State {
        let order_id = id.clone();
        match self.send(&GetState { order_id }) {
            StateAnswer::Found(found) => found.state,
            other => panic!("{other:?}"),
        }
    }

    fn opened(&self, init: &Init<'_>) {
        assert!(matches!(self.send(init), Outcome::Done(_)));
    }

    fn notifications(&self) -> Vec<Notification> {
        let notices = self.gateway.take_notices().into_iter();
        notices
            .map(|notice| Notification::read(notice.body.as_bytes()).unwrap())
            .collect()
    }
}

fn order(id: &str) -> OrderId {
    OrderId::parse(id).unwrap()
}

fn customer() -> Customer {
    let id = CustomerId::parse("ana").unwrap();
    Customer::new(id, Secret::new("s3cret")).unwrap()
}

fn refused<T>(code: &str) -> Outcome<T> {
    Outcome::Refused(ErrCode::parse(code).unwrap())
}

fn charge(id: &OrderId, amount: Option<u64>) -> Charge {
    let order_id = id.clone();
    Charge { order_id, amount }
}

fn refund(id: &OrderId, amount: Option<u64>) -> Refund {
    let order_id = id.clone();
    Refund { order_id, amount }
}

#[test]
fn a_payment_is_made_and_given_back_in_parts() {
    for interface in [Interface::ApPay, Interface::Wallet] {
        let shop = Shop::new(interface);
        let (id, customer) = (order("card01"), customer());
        let mut init = Init::pay(&id, 1999, URL)
            .with_language("ro")
            .with_product("Bilete; Amount=1")
            .with_own("Contract", "7 din 2026");
        if interface == Interface::Wallet {
            init = init.with_customer(&customer);
        }
        assert_eq!(shop.state(&id), State::Open, "unknown");
        shop.opened(&init);
        assert_eq!(shop.state(&id), State::Open);
        shop.gateway.pay("card01", PAYS).unwrap();
        assert_eq!(shop.state(&id), State::Paid { remaining: 1999 });
        assert_eq!(
            shop.send(&refund(&id, Some(999))),
            Outcome::Done(Some(1000))
        );
        assert_eq!(shop.state(&id), State::Paid { remaining: 1000 });
        assert_eq!(shop.send(&refund(&id, Some(1001))), refused("AMOUNT_ERROR"));
        assert_eq!(shop.send(&refund(&id, None)), Outcome::Done(Some(0)));
        assert_eq!(shop.state(&id), State::Refunded);
        assert_eq!(
            shop.send(&refund(&id, None)),
            refused("ILLEGAL_ORDER_STATE")
        );
        let told = shop.gateway.order("card01").unwrap();
        assert_eq!((told.taken, told.given_back), (1999, 1999));
        assert_eq!(told.refunds, [999, 1000]);
        let names: Vec<_> = shop
            .notifications()
            .into_iter()
            .map(|notification| notification.name)
            .collect();
        let by = match interface {
            Interface::ApPay => "Engine",
            Interface::Wallet => "Customer",
        };
        let expected = [
            "PaySuccess",
            "RefundSuccess",
            "RefundFail",
            "RefundSuccess",
            "RefundFail",
        ];
        let expected: Vec<_> = expected.iter().map(|name| format!("{by}{name}")).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_hold_is_charged_or_released_once() {
    let shop = Shop::new(Interface::ApPay);
    let (charged, released) = (order("card01"), order("card02"));
    for id in [&charged, &released] {
        shop.opened(&Init::block(id, 10_000, URL));
        shop.gateway.pay(id.as_str(), PAYS).unwrap();
        assert_eq!(shop.state(id), State::Held { amount: 10_000 });
        assert_eq!(shop.send(&refund(id, None)), refused("ILLEGAL_ORDER_STATE"));
    }
    assert_eq!(
        shop.send(&charge(&charged, Some(10_001))),
        refused("AMOUNT_ERROR")
    );
    assert_eq!(
        shop.send(&charge(&charged, Some(4000))),
        Outcome::Done(Some(4000))
    );
    assert_eq!(
        shop.send(&charge(&charged, None)),
        refused("ILLEGAL_ORDER_STATE")
    );
    assert_eq!(shop.state(&charged), State::Paid { remaining: 4000 });
    let unblock = |id: &OrderId| Unblock {
        order_id: id.clone(),
    };
    assert_eq!(
        shop.send(&unblock(&charged)),
        refused("ILLEGAL_ORDER_STATE")
    );
    assert_eq!(shop.send(&unblock(&released)), Outcome::Done(Some(0)));
    assert_eq!(shop.state(&released), State::Released);
    let taken: u64 = shop.gateway.orders().iter().map(|order| order.taken).sum();
    assert_eq!(taken, 4000);
}

#[test]
fn the_commands_of_the_wallet_agree() {
    let shop = Shop::new(Interface::Wallet);
    let customer = customer();
    let register = |customer: &Customer| Register {
        customer: customer.clone(),
        phone: Some(Secret::new("060000000")),
        email: None,
    };
    let check = |customer: &Customer| Check {
        customer: customer.clone(),
    };
    assert_eq!(shop.send(&check(&customer)), refused("CUSTOMER_NOT_FOUND"));
    assert_eq!(shop.send(&register(&customer)), Outcome::Done(()));
    assert_eq!(shop.send(&register(&customer)), refused("DUPLICATE_USER"));
    assert_eq!(shop.send(&check(&customer)), Outcome::Done(()));
    let update = Update {
        customer: customer.clone(),
        phone: None,
        email: Some(Secret::new("ana@exemplu.md")),
    };
    assert_eq!(shop.send(&update), Outcome::Done(()));
    let id = order("card01");
    let init = Init::pay(&id, 500, URL).with_customer(&customer);
    shop.opened(&init);
    shop.gateway.pay_and_save("card01", PAYS).unwrap();
    let list = GetList {
        customer: customer.clone(),
    };
    let Outcome::Done(cards) = shop.send(&list) else {
        panic!("no cards")
    };
    let [card] = cards.as_slice() else {
        panic!("{} cards", cards.len())
    };
    assert!(card.is_active);
    let pay = |id: &str| PaySaved {
        customer: customer.clone(),
        card: card.id.clone(),
        order_id: order(id),
        amount: 700,
    };
    assert_eq!(shop.send(&pay("card02")), Outcome::Done(Some(700)));
    assert_eq!(shop.send(&pay("card02")), refused("DUPLICATE_ORDER_ID"));
    assert_eq!(shop.state(&order("card02")), State::Paid { remaining: 700 });
    let activate = Activate {
        customer: customer.clone(),
        card: card.id.clone(),
        amount: 1,
    };
    assert_eq!(shop.send(&activate), refused("AMOUNT_ERROR"));
    let remove = Remove {
        customer: customer.clone(),
        card: card.id.clone(),
    };
    assert_eq!(shop.send(&remove), Outcome::Done(()));
    assert_eq!(shop.send(&remove), refused("CARD_NOT_FOUND"));
    assert_eq!(shop.send(&pay("card03")), refused("CARD_NOT_FOUND"));
    let delete = Delete {
        customer: customer.id.clone(),
    };
    assert_eq!(shop.send(&delete), Outcome::Done(()));
    assert_eq!(shop.send(&delete), refused("USER_NOT_FOUND"));
}

#[test]
fn the_older_command_for_the_state_is_answered() {
    for interface in [Interface::ApPay, Interface::Wallet] {
        let mut shop = Shop::new(interface);
        shop.terminal = shop.terminal.with_state_command(StateCommand::PayStatus);
        assert_eq!(shop.state(&order("card01")), State::Open);
    }
}

#[test]
fn another_terminal_is_denied() {
    let mut shop = Shop::new(Interface::ApPay);
    shop.terminal = Terminal::new(Interface::ApPay, "Merchant", Secret::new("124")).unwrap();
    let request = charge(&order("card01"), None)
        .request(&shop.terminal)
        .unwrap();
    let interface = mpay_gateway::Interface::ApPay;
    let form = Some("application/x-www-form-urlencoded");
    let answer = shop
        .gateway
        .command(interface, "Charge", form, "", request.body());
    assert!(answer.body().unwrap().contains("ACCESS_DENIED"));
    let journal = format!("{:?}", shop.gateway.journal());
    assert!(!journal.contains("124"), "{journal}");
}

/// A payment with a mischief at its refund: the outcome that the provider reads, and the amount that was
/// given back.
fn trouble(mischief: Mischief) -> (Outcome<Option<u64>>, u64) {
    let shop = Shop::new(Interface::ApPay);
    let id = order("card01");
    shop.opened(&Init::pay(&id, 1999, URL));
    shop.gateway.pay("card01", PAYS).unwrap();
    shop.gateway
        .plan(Plan::new(mischief).of("card01").at("Refund"));
    assert_eq!(shop.state(&id), State::Paid { remaining: 1999 });
    let outcome = shop.send(&refund(&id, Some(999)));
    (outcome, shop.gateway.order("card01").unwrap().given_back)
}

#[test]
fn an_answer_that_is_none_leaves_open_what_was_done() {
    for (mischief, given_back) in [
        (Mischief::DoneAnswerLost, 999),
        (Mischief::NotDoneAnswerLost, 0),
        (Mischief::ServerError, 999),
        (Mischief::NoXml, 999),
        (Mischief::CodeNone, 999),
        (Mischief::OtherOrder, 999),
    ] {
        let (outcome, done) = trouble(mischief);
        assert!(
            matches!(outcome, Outcome::Unknown(_)),
            "{mischief:?}: {outcome:?}"
        );
        assert_eq!(done, given_back, "{mischief:?}");
    }
    let (outcome, done) = trouble(Mischief::Dressed);
    assert_eq!((outcome, done), (Outcome::Done(Some(1000)), 999));
}

#[test]
fn a_state_is_read_however_it_is_dressed() {
    let shop = Shop::new(Interface::ApPay);
    let id = order("card01");
    shop.opened(&Init::pay(&id, 1999, URL));
    shop.gateway.pay("card01", PAYS).unwrap();
    for mischief in [Mischief::Dressed, Mischief::Status] {
        shop.gateway.plan(Plan::new(mischief).of("card01"));
        assert_eq!(shop.state(&id), State::Paid { remaining: 1999 });
        shop.gateway.clear_plans();
    }
    shop.gateway.plan(Plan::new(Mischief::Pending).times(2));
    shop.gateway.plan(Plan::new(Mischief::CodeNone));
    for _ in 0..3 {
        assert_eq!(shop.state(&id), State::Pending);
    }
    assert_eq!(shop.state(&id), State::Paid { remaining: 1999 });
}

#[test]
fn tries_fail_until_one_does_not() {
    let shop = Shop::new(Interface::ApPay);
    let id = order("card01");
    shop.opened(&Init::pay(&id, 10_001, URL));
    for (number, code) in [
        ("4111101000000046", "AMOUNT_EXCEED"),
        ("4111111111100056", "PROCESSING_ERROR"),
        ("4111111111100072", "ISSUER_BLOCKED_CARD"),
        ("4111111111100080", "ISSUER_CARD_FAIL"),
        ("4111111111111114", "THREE_DS_AUTH_ERROR"),
    ] {
        assert_eq!(shop.gateway.pay("card01", number).unwrap_err(), code);
        assert_eq!(shop.state(&id), State::Failed);
    }
    let stranger = shop.gateway.pay("card01", "5555555555554444");
    assert_eq!(stranger.unwrap_err(), "NoCard");
    shop.gateway.plan(Plan::new(Mischief::FailedThenPaid));
    assert!(shop.gateway.pay("card01", PAYS).is_err());
    shop.gateway.pay("card01", "4111111111111111").unwrap();
    assert_eq!(shop.state(&id), State::Paid { remaining: 10_001 });
    assert!(shop.gateway.pay("card01", PAYS).is_err(), "paid twice");
    let order = shop.gateway.order("card01").unwrap();
    assert_eq!((order.taken, order.tries), (10_001, 7));
}

#[test]
fn cards_refuse_at_the_step_they_are_for() {
    let shop = Shop::new(Interface::ApPay);
    let held = |name: &str, number: &str| {
        let id = order(name);
        shop.opened(&Init::block(&id, 100, URL));
        shop.gateway.pay(name, number).unwrap();
        id
    };
    let processing_error = || refused("PROCESSING_ERROR");
    let id = held("card01", "4111111111100221");
    assert_eq!(shop.send(&charge(&id, None)), processing_error());
    assert_eq!(shop.state(&id), State::Held { amount: 100 });
    let id = held("card02", "4111111111100627");
    let unblock = Unblock { order_id: id };
    assert_eq!(shop.send(&unblock), processing_error());
    let id = held("card03", "4111111111102029");
    assert_eq!(shop.send(&charge(&id, None)), Outcome::Done(Some(100)));
    assert_eq!(shop.send(&refund(&id, None)), processing_error());
    assert_eq!(shop.state(&id), State::Paid { remaining: 100 });
}

#[test]
fn a_slow_card_is_at_work_until_it_is_done() {
    let shop = Shop::new(Interface::ApPay);
    let at = |text: &str| shop.gateway.set_time(Some(text.parse().unwrap()));
    at("2026-12-01T10:00:00Z");
    let id = order("card01");
    shop.opened(&Init::pay(&id, 1999, URL));
    shop.gateway.pay("card01", "4100401111103025").unwrap();
    assert_eq!(shop.state(&id), State::Paid { remaining: 1999 });
    shop.gateway.take_notices();
    assert_eq!(
        shop.send(&refund(&id, Some(999))),
        Outcome::Done(Some(1000))
    );
    assert_eq!(shop.state(&id), State::Pending);
    let told: Vec<_> = shop
        .gateway
        .take_notices()
        .iter()
        .map(|n| n.after.as_secs())
        .collect();
    assert_eq!(told, [40]);
    at("2026-12-01T10:00:39Z");
    assert_eq!(shop.state(&id), State::Pending);
    at("2026-12-01T10:00:40Z");
    assert_eq!(shop.state(&id), State::Paid { remaining: 1000 });
}

#[test]
fn a_session_ends_after_its_hour() {
    let shop = Shop::new(Interface::ApPay);
    let at = |text: &str| shop.gateway.set_time(Some(text.parse().unwrap()));
    at("2026-12-01T10:00:00Z");
    let (id, over) = (order("card01"), order("card02"));
    shop.opened(&Init::pay(&id, 1999, URL));
    at("2026-12-01T10:59:59Z");
    assert_eq!(shop.state(&id), State::Open);
    at("2026-12-01T11:00:00Z");
    assert_eq!(shop.state(&id), State::Failed);
    assert_eq!(shop.gateway.pay("card01", PAYS).unwrap_err(), "SessionOver");
    shop.gateway.plan(Plan::new(Mischief::SessionOver));
    shop.opened(&Init::pay(&over, 1999, URL));
    assert!(shop.gateway.pay("card02", PAYS).is_err());
    assert!(shop.gateway.orders().iter().all(|order| order.taken == 0));
}

#[test]
fn what_happens_in_the_cabinet_shows_in_the_state() {
    let shop = Shop::new(Interface::ApPay);
    let (id, disputed) = (order("card01"), order("card02"));
    shop.opened(&Init::block(&id, 1999, URL));
    shop.gateway.pay("card01", PAYS).unwrap();
    shop.gateway
        .charge_in_cabinet("card01", Some(1000))
        .unwrap();
    shop.gateway.refund_in_cabinet("card01", Some(1)).unwrap();
    assert_eq!(shop.state(&id), State::Paid { remaining: 999 });
    assert!(shop.gateway.cancel_in_cabinet("card01").is_err());
    shop.opened(&Init::pay(&disputed, 5, URL));
    shop.gateway.pay("card02", PAYS).unwrap();
    shop.gateway.charge_back("card02").unwrap();
    assert_eq!(
        shop.state(&disputed),
        State::ChargedBack { amount: Some(5) }
    );
    let lapsed = order("card03");
    shop.opened(&Init::block(&lapsed, 5, URL));
    shop.gateway.pay("card03", PAYS).unwrap();
    shop.gateway.lapse("card03").unwrap();
    assert_eq!(shop.state(&lapsed), State::Released);
}

#[test]
fn notifications_come_as_the_mischief_wants_them() {
    let told = |mischief: Option<Mischief>| {
        let shop = Shop::new(Interface::ApPay);
        shop.gateway
            .plan(Plan::new(mischief.unwrap_or(Mischief::Status)));
        let id = order("card01");
        shop.opened(&Init::pay(&id, 1999, URL));
        shop.gateway.pay("card01", PAYS).unwrap();
        let _ = shop.send(&refund(&id, None));
        let notices = shop.gateway.take_notices().into_iter();
        let of = |notice: mpay_gateway::Notice| match notice.after.is_zero() {
            true => notice.name,
            false => format!("late {}", notice.name),
        };
        notices.map(of).collect::<Vec<_>>()
    };
    let (paid, refunded) = ("EnginePaySuccess", "EngineRefundSuccess");
    assert_eq!(told(None), [paid, refunded]);
    assert!(told(Some(Mischief::NotificationLost)).is_empty());
    let twice = told(Some(Mischief::NotificationTwice));
    assert_eq!(twice, [paid, paid, refunded, refunded]);
    let late = told(Some(Mischief::NotificationLate));
    assert_eq!(late, ["late EnginePaySuccess", "late EngineRefundSuccess"]);
    let swapped = told(Some(Mischief::NotificationOutOfOrder));
    assert_eq!(swapped, [refunded, paid]);
    let forged = told(Some(Mischief::NotificationForged));
    assert_eq!(forged, [paid, paid, refunded]);
    let in_part = told(Some(Mischief::RefundedInPart));
    assert_eq!(in_part, [paid, refunded, refunded]);
}
