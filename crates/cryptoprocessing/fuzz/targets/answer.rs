//! No bytes make an answer or a notification panic, and none that do not say so become money.
#![no_main]

use cryptoprocessing::{
    Command, GetState, Interface, Notification, OrderId, Refund, Secret, State, StateAnswer, Terminal,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let terminal = Terminal::new(Interface::ApPay, "Merchant", Secret::new("x")).expect("a terminal");
    let order_id = OrderId::parse("card01").expect("an id");
    let _ = Notification::read(bytes);
    let refund = Refund { order_id: order_id.clone(), amount: None };
    let _ = refund.outcome(&terminal, 200, bytes);
    if let StateAnswer::Found(found) = (GetState { order_id }).outcome(&terminal, 200, bytes)
        && matches!(found.state, State::Held { .. } | State::Paid { .. } | State::Refunded)
    {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        assert!(text.contains("getstate"), "an answer to something else");
        // The characters of a name may be written by their numbers.
        assert!(text.contains("card01") || text.contains("&#"), "another payment");
    }
});
