//! `mpay call`: one call, as MPay makes it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use mpay::{
    client::{Answer, Client, Confirmation, OrderDetails},
    development::{Parties, SERVICE_ID},
};
use mpay_provider::domain::Money;
use rand::RngExt;
use wsse::{Algorithms, Certificate, Signer};

/// What to call, and as whom.
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
    /// MPay's private key, PEM [default: the development key].
    #[arg(long, global = true, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// MPay's certificate, PEM [default: the development certificate].
    #[arg(long, global = true, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate that the provider must sign with, PEM [default: the development one].
    #[arg(long, global = true, value_name = "FILE")]
    provider_certificate: Option<PathBuf>,
    /// Hash of the signature and the digests; MPay uses sha1 today.
    #[arg(long, global = true, value_enum, default_value_t = Hash::Sha1)]
    hash: Hash,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
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
    let client = client(arguments)?;
    match &arguments.operation {
        Operation::Details {
            order_key,
            language,
        } => {
            let answer = client.details(&arguments.service, order_key, language)?;
            report(answer, |orders| {
                if orders.is_empty() {
                    println!("No such order.");
                }
                orders.iter().for_each(print_order);
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
                Answer::Fault(fault) => return report(Answer::<()>::Fault(fault), |()| {}),
                Answer::Result(orders) => orders.into_iter().next().context("no such order")?,
            };
            let (total, lines) = match lines.as_slice() {
                [] => spread(&order, amount.as_deref())?,
                lines => (sum(lines)?, lines.to_vec()),
            };
            let confirmation = Confirmation {
                service_id: arguments.service.clone(),
                order_key: order_key.clone(),
                payment_id: payment_id.clone().unwrap_or_else(new_payment_id),
                currency: order.get("Currency").unwrap_or("MDL").to_owned(),
                total,
                paid_at: paid_at.clone().unwrap_or_else(Confirmation::paid_now),
                lines,
            };
            report(client.confirm(&confirmation)?, |()| {
                println!(
                    "Confirmed: {} {} for order {order_key}, payment {}",
                    confirmation.total, confirmation.currency, confirmation.payment_id
                );
            })
        }
    }
}

fn report<T>(answer: Answer<T>, print: impl FnOnce(T)) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Result(result) => {
            print(result);
            Ok(ExitCode::SUCCESS)
        }
        Answer::Fault(fault) => {
            println!("Fault {}: {}", fault.code, fault.reason);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn client(arguments: &Arguments) -> anyhow::Result<Client> {
    let parties = Parties::read(
        arguments.key.as_deref(),
        arguments.certificate.as_deref(),
        arguments.provider_certificate.as_deref(),
    )?;
    let signer = Signer::from_pem(&parties.mpay_key, &parties.mpay_certificate)
        .context("MPay's key and certificate")?;
    let provider = Certificate::from_pem(&parties.provider_certificate)
        .context("the provider's certificate")?;
    let hash = match arguments.hash {
        Hash::Sha1 => wsse::Hash::Sha1,
        Hash::Sha256 => wsse::Hash::Sha256,
        Hash::Sha384 => wsse::Hash::Sha384,
        Hash::Sha512 => wsse::Hash::Sha512,
    };
    Ok(Client::new(&arguments.url, signer, provider).with_algorithms(Algorithms::new(hash)))
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

/// What is paid in all, and for which lines: in their order until the amount is used up, and what
/// is more than is due for the last.
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
    let mut rest = total;
    let mut lines = Vec::new();
    for (i, line) in order.lines.iter().enumerate() {
        let line_due = line.get("AmountDue").map(Money::parse).transpose()?;
        let share = match line_due {
            Some(due) if i + 1 < order.lines.len() => due.min(rest),
            _ => rest,
        };
        if !share.is_zero() {
            let id = line
                .get("LineID")
                .context("a line of the answer has no LineID")?;
            lines.push((id.to_owned(), share.to_string()));
            rest = rest.saturating_sub(share);
        }
    }
    Ok((total.to_string(), lines))
}

/// A payment id of the form that MPay's have.
fn new_payment_id() -> String {
    let hex = format!("{:032x}", rand::rng().random::<u128>());
    let parts: Vec<_> = [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|part| &hex[part])
        .into();
    parts.join("-")
}

fn print_order(order: &OrderDetails) {
    let text = |name| order.get(name).unwrap_or("—");
    println!(
        "Order      {} of service {}",
        text("OrderKey"),
        text("ServiceID")
    );
    println!("Reason     {}", text("Reason"));
    println!("Status     {}", text("Status"));
    for (name, label) in [
        ("CustomerName", "Customer"),
        ("CustomerID", "IDNP/IDNO"),
        ("IssuedAt", "Issued"),
        ("DueDate", "Due"),
    ] {
        if let Some(value) = order.get(name) {
            println!("{label:<10} {value}");
        }
    }
    for (flag, label) in [
        ("AllowPartialPayments", "may be paid in part"),
        ("AllowAdvancePayments", "may be paid in advance"),
    ] {
        if order.get(flag) == Some("true") {
            println!("           {label}");
        }
    }
    for (name, value) in &order.properties {
        println!("           {name}: {value}");
    }
    let currency = text("Currency");
    let width = order
        .lines
        .iter()
        .filter_map(|line| line.get("Reason"))
        .map(|reason| reason.chars().count())
        .chain(["Total due".len()])
        .max()
        .unwrap_or_default();
    println!();
    for line in &order.lines {
        let reason = line.get("Reason").unwrap_or("—");
        let amount = line.get("AmountDue").unwrap_or("not known");
        println!("  {reason:<width$}  {amount:>14} {currency}");
    }
    let total = order.get("TotalAmountDue").unwrap_or("not known");
    println!("  {:<width$}  {total:>14} {currency}", "Total due");
}
