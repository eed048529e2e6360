//! `mpay connect --cards`: the two letters to the bank that has the card gateway.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::{Arguments, one_line, url};
use crate::{
    files::{make_folder, refuse_existing, write_public},
    terminal::{Mark, Page},
};

/// The stages in which a payment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stages {
    /// Money is taken at once: capture `immediate`.
    One,
    /// Money is held first, and taken or released later: capture `checked` or `manual`.
    Two,
}

/// The interface that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Interface {
    /// Ap&Pay: each payer types the card.
    Appay,
    /// Wallet: customers may save cards.
    Wallet,
}

impl Interface {
    const fn name(self) -> &'static str {
        match self {
            Self::Appay => "Ap&Pay",
            Self::Wallet => "Wallet",
        }
    }

    /// The gateway's name for a terminal's identifier.
    const fn terminal(self) -> &'static str {
        match self {
            Self::Appay => "Key",
            Self::Wallet => "VWID",
        }
    }
}

/// Makes the folder with the letters.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut doubts = Vec::new();
    let institution = one_line("--provider-name", &arguments.provider_name)?;
    let website = url("--website", &arguments.website, &mut doubts)?;
    let address = url("--url", &arguments.url, &mut doubts)?;
    if address.contains('?') {
        bail!(
            "--url {address:?} has a query: give the address alone, which is the variable public_url"
        );
    }
    let letter = Letter {
        institution: &institution,
        website: &website,
        address: address.trim_end_matches('/'),
        stages: arguments.stages,
        interface: arguments.interface,
    };
    let letters = [
        ("scrisoare-1-test.txt", letter.for_test()),
        ("scrisoare-2-comercial.txt", letter.for_money()),
    ];
    let path = |(name, _): &(&str, _)| arguments.out.join(name);
    let paths: Vec<PathBuf> = letters.iter().map(path).collect();
    refuse_existing(paths.iter().map(PathBuf::as_path))?;
    make_folder(&arguments.out)?;
    let mut page = Page::new();
    for (path, (_, text)) in paths.iter().zip(&letters) {
        write_public(path, text.as_bytes()).with_context(|| path.display().to_string())?;
        page.field("Written", path.display().to_string());
    }
    for doubt in &doubts {
        page.finding(Mark::Warning, doubt, None);
    }
    page.gap();
    page.line("Next: read the first letter, put in what is dotted, and send it to the bank. The second one follows when everything works with test access.");
    page.line("docs/cards.md goes on from there. Neither letter holds a secret; never send a password by letter or e-mail.");
    page.print()?;
    Ok(ExitCode::SUCCESS)
}

struct Letter<'a> {
    institution: &'a str,
    website: &'a str,
    address: &'a str,
    stages: Stages,
    interface: Interface,
}

impl Letter<'_> {
    /// The addresses of notifications and of the page that payers come back to, for the letter.
    fn addresses(&self) -> String {
        format!(
            "\
   URL pentru notificări / notification URL
       {0}/cards/notifications
       (POST, formular, UTF-8; răspundem 200 / we answer 200)
   Pagina de revenire / return page
       {0}/cards/return/{{orderid}}
",
            self.address
        )
    }

    fn heading(&self, title: &str, subject: &str) -> String {
        let line = "=".repeat(subject.chars().count().max(title.chars().count()));
        format!(
            "\
{title}
{subject}
{line}

Instituția / institution          {}
IDNO                              ……………………………
Pagina web / website              {}
Persoana de contact / contact     ……………………………
Telefon, e-mail / phone, e-mail   ……………………………

",
            self.institution, self.website
        )
    }

    fn for_test(&self) -> String {
        let stages = match self.stages {
            Stages::One => "plata într-o etapă (Pay)               payment in one stage",
            Stages::Two => "plata în două etape (Block, Charge, Unblock)   payment in two stages",
        };
        let (interface, terminal) = (self.interface.name(), self.interface.terminal());
        let (saved, path) = match self.interface {
            Interface::Appay => ("", "apim"),
            Interface::Wallet => (
                "\
   - carduri salvate de clienți (Add, Activate)      cards saved by customers
   - plata cu un card salvat, fără titular (Pay)     payment by a saved card, its holder absent
   - notificările CustomerAdd, CustomerPay, CustomerRefund, MerchantPay   these notifications
",
                "vwapi",
            ),
        };
        let heading = self.heading(
            "Cerere de acces de test la poarta de carduri",
            "Request for test access to the card gateway",
        );
        format!(
            "{heading}\
1. Interfața / interface
   {interface}: cardul se introduce pe pagina băncii.
   {interface}: the card is typed at the bank's page.

2. Funcții / functions
   - {stages}
   - 3-D Secure
   - restituiri, și parțiale (Refund)       refunds, also in part
   - starea plății (GetState)               state of a payment
{saved}
3. Adresele noastre / our addresses
{addresses}
4. Vă rugăm să ne comunicați / please tell us
   - {terminal} și Password ale terminalului de test, pe cale sigură
     {terminal} and Password of the test terminal, by a safe way
   - Host și prima parte a căii ({path}?)   Host and the first part of the path
   - valuta terminalului                    the terminal's currency
   - comanda de stare: GetState sau PayStatus        the command for the state
   - dacă Data se decodează o dată sau de două ori   whether Data is decoded once or twice
   - dacă notificările se repetă până la 200         whether notifications are repeated until 200
   - cât ține o sesiune și o blocare                 how long a session and a hold last
   - dacă apelurile se filtrează după adresa IP      whether calls are filtered by address
   - cardurile de test                               the test cards
",
            addresses = self.addresses(),
        )
    }

    fn for_money(&self) -> String {
        let (interface, terminal) = (self.interface.name(), self.interface.terminal());
        let heading = self.heading(
            "Cerere de acces comercial la poarta de carduri",
            "Request for commercial access to the card gateway",
        );
        format!(
            "{heading}\
Integrarea prin interfața {interface} este gata și verificată cu accesul de test.
The integration by the interface {interface} is ready, and tested with test access.

1. Adresele noastre / our addresses
{addresses}
2. Pagina de plată / the payment page
   [ ] pagina standard a băncii                     the bank's own page
   [ ] șabloane proprii, anexate (RO, RU, EN)       our own templates, attached
       TemplateTag: ……………………………
       (câmp ascuns Key = {{key}}, loc pentru {{error}}, fișiere doar sub /Templates/{{Key}}/,
       fără conținut străin și fără legături spre alte pagini)
   [ ] în iframe pe pagina noastră                  in an iframe of our page

3. Vă rugăm să repetați notificările până la răspunsul 200.
   Please repeat notifications until they are answered with 200.

4. Vă rugăm să ne comunicați / please tell us
   - Host
   - {terminal} și Password (parola prin SMS)
     {terminal} and Password (the password by SMS)
   - cabinetul: adresa, login, parola și parola pentru restituiri și anulări,
     pentru persoane numite de noi
     the cabinet: address, login, password, and the password for refunds and
     cancellations, for persons whom we name
   - contul în care virați banii și registrul de plăți (cu RRN)
     the account to which you pay, and the statement of payments (with RRN)
",
            addresses = self.addresses(),
        )
    }
}
