//! The card gateway: whether it knows the terminals.

use cryptoprocessing::{
    Check, Command, Customer, CustomerId, ErrCode, GetState, Group, Interface, OrderId, Outcome,
    Secret, State, StateAnswer, Terminal, WalletError,
};
use ureq::tls::TlsConfig;

use super::{Arguments, Findings, http::Http};

/// An id that no payment has: those of this provider begin with `card`.
const NO_PAYMENT: &str = "doctor00000000000000000000000000";

/// Asks the gateway, for each terminal, for the state of a payment that cannot exist, and at the Wallet
/// for such a customer. Nothing is begun.
pub fn examine<'a>(
    gateway: &str,
    terminals: impl Iterator<Item = (&'a str, &'a Terminal)>,
    arguments: &Arguments,
    tls: TlsConfig,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let order_id = OrderId::parse(NO_PAYMENT)?;
    let ask = GetState { order_id };
    let http = Http::new(
        gateway,
        std::time::Duration::from_secs(arguments.timeout),
        tls,
    );
    for (name, terminal) in terminals {
        let request = ask.request(terminal)?;
        let url = format!("{gateway}{}", request.path());
        let reply = match http.post_form(&url, request.body()) {
            Ok(reply) => reply,
            Err(error) => {
                findings.wrong(
                    "card-gateway",
                    format!("the card gateway cannot be asked at {url}: {error}"),
                    "Check card_gateway (the bank calls it Host), and whether this machine may go out to it.",
                );
                continue;
            }
        };
        match ask.outcome(terminal, reply.status, &reply.body) {
            StateAnswer::Found(found) if found.state == State::Open => findings.ok(
                "card-gateway",
                format!("the card gateway knows the terminal {name}; its password shows with the first charge or refund only"),
            ),
            StateAnswer::Found(found) => findings.warning(
                "card-gateway",
                format!("the card gateway tells the state {} of a payment that does not exist", found.written),
                "Show this to the bank: ORDER_NOT_FOUND is expected.",
            ),
            StateAnswer::Refused(code) => findings.wrong(
                "card-gateway",
                format!("the card gateway refuses the terminal {name}: {code}"),
                advice(&code),
            ),
            StateAnswer::Unknown(unclear) => findings.wrong(
                "card-gateway",
                format!("{}: {unclear} ({})", request.path(), reply.summary()),
                "Ask the bank for the first part of the path (card_path) and for the command that tells a state (card_state_command).",
            ),
        }
        if terminal.interface() == Interface::Wallet {
            examine_wallet(gateway, name, terminal, &http, findings)?;
        }
    }
    Ok(())
}

/// Asks whether there is a customer who cannot exist.
fn examine_wallet(
    gateway: &str,
    name: &str,
    terminal: &Terminal,
    http: &Http,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let customer = Customer::new(CustomerId::parse(NO_PAYMENT)?, Secret::new(NO_PAYMENT))?;
    let check = Check { customer };
    let request = check.request(terminal)?;
    let url = format!("{gateway}{}", request.path());
    // Whoever did not answer the question before is told of already.
    let Ok(reply) = http.post_form(&url, request.body()) else {
        return Ok(());
    };
    match check.outcome(terminal, reply.status, &reply.body) {
        Outcome::Refused(code) if code.group() == Group::Wallet(WalletError::NoCustomer) => findings
            .ok(
                "card-gateway",
                format!("the card gateway has customers at the terminal {name}"),
            ),
        Outcome::Refused(code) => findings.wrong(
            "card-gateway",
            format!("the card gateway refuses customers at the terminal {name}: {code}"),
            "Ask the bank whether the terminal is one of the interface Wallet, and has saved cards.",
        ),
        Outcome::Done(()) => findings.warning(
            "card-gateway",
            format!("the card gateway knows a customer at the terminal {name} who does not exist"),
            "Show this to the bank: CUSTOMER_NOT_FOUND is expected.",
        ),
        Outcome::Unknown(unclear) => findings.wrong(
            "card-gateway",
            format!("{}: {unclear} ({})", request.path(), reply.summary()),
            "Ask the bank for the first part of the Wallet's path (card_path).",
        ),
    }
    Ok(())
}

fn advice(code: &ErrCode) -> &'static str {
    match code.as_str() {
        "ACCESS_DENIED" => {
            "Check card_terminal: test access and commercial access have different ones, and different hosts."
        }
        "API_NOT_ALLOWED" => "Give the bank the address from which this machine calls.",
        "WRONG_PARAMS" => {
            "Ask the bank which command tells a state, with which parameters (card_state_command)."
        }
        _ => "Ask the bank what this code means for the terminal.",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use cryptoprocessing::{Interface, Secret, StateCommand};
    use mpay_gateway::{Mischief, Options, Plan};

    use super::*;
    use crate::terminal::Mark;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// The last finding of an examination of this gateway and terminal.
    fn asked(gateway: &str, terminal: &Terminal) -> (Mark, String) {
        let arguments = Cli::parse_from(["doctor"]).arguments;
        let tls = arguments.tls.config(false).unwrap();
        let mut findings = Findings::default();
        let terminals = std::iter::once(("Merchant", terminal));
        examine(gateway, terminals, &arguments, tls, &mut findings).unwrap();
        let finding = findings.findings.pop().unwrap();
        let advice = finding.advice.unwrap_or_default();
        (finding.mark, format!("{} {advice}", finding.text))
    }

    #[test]
    fn a_terminal_is_known_or_the_finding_says_what_to_do() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let gateway = runtime
            .block_on(mpay_gateway::start(Options::default()))
            .unwrap();
        let url = gateway.url();
        let terminal = |name| Terminal::new(Interface::ApPay, name, Secret::new("hunter2"));
        let right = terminal("Merchant").unwrap();
        let (mark, text) = asked(&url, &right);
        assert_eq!(mark, Mark::Ok, "{text}");
        for (terminal, word) in [
            (terminal("Another").unwrap(), "card_terminal"),
            (right.clone().with_path("pay").unwrap(), "card_path"),
        ] {
            let (mark, text) = asked(&url, &terminal);
            assert_eq!(mark, Mark::Wrong, "{text}");
            assert!(text.contains(word) && !text.contains("hunter2"), "{text}");
        }
        let older = right.clone().with_state_command(StateCommand::PayStatus);
        assert_eq!(asked(&url, &older).0, Mark::Ok);
        let wallet = |name| Terminal::new(Interface::Wallet, name, Secret::new("hunter2"));
        let (mark, text) = asked(&url, &wallet("Merchant").unwrap());
        assert!(mark == Mark::Ok && text.contains("customers"), "{text}");
        let (mark, text) = asked(&url, &wallet("Another").unwrap());
        assert!(mark == Mark::Wrong && text.contains("Wallet"), "{text}");
        gateway.plan(Plan::new(Mischief::NoXml));
        assert!(asked(&url, &right).1.contains("card_state_command"));
        runtime.block_on(gateway.stop()).unwrap();
        let (mark, text) = asked(&url, &right);
        assert_eq!(mark, Mark::Wrong);
        assert!(text.contains("card_gateway"), "{text}");
    }
}
