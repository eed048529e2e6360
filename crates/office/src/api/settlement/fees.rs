//! The fees that banks and the treasury withhold from payments.

use tables::Amount;

/// The rates of fees, by account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rates {
    /// The rate for accounts that are not named, in millionths of the amount.
    general: Option<i128>,
    of_accounts: Vec<(String, i128)>,
}

/// The rate of 100 %, in the units of rates.
const WHOLE: i128 = 1_000_000;

impl Rates {
    /// Reads `1.5`, or `MD24AG000225100013104168:1.5,MD80EX0900002374642125MD:0.8`, or both.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut rates = Self::default();
        for part in text.split(',') {
            match part.split_once(':') {
                None => rates.general = Some(rate(part)?),
                Some((account, part)) => {
                    let account = account.trim().to_ascii_uppercase();
                    rates.of_accounts.push((account, rate(part)?));
                }
            }
        }
        Ok(rates)
    }

    fn of(&self, account: Option<&str>) -> Option<i128> {
        let mut accounts = self.of_accounts.iter();
        let named = accounts.find(|(known, _)| Some(known.as_str()) == account);
        named.map(|(_, rate)| *rate).or(self.general)
    }

    /// The fees that these amounts may have had, in hundredths. Each amount has its account. The fee is rounded
    /// once for the sum, or for each amount. Empty if the rate for one of the accounts is not known.
    pub fn possible(&self, amounts: &[(Option<String>, i128)]) -> Vec<i128> {
        let rates = amounts.iter().map(|(account, amount)| {
            let rate = self.of(account.as_deref())?;
            Some(rate * amount)
        });
        let Some(products) = rates.collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let at_once = rounded(products.iter().sum());
        let each = products.into_iter().map(rounded).sum();
        if each == at_once {
            vec![each]
        } else {
            vec![each, at_once]
        }
    }
}

/// Rounds a product to hundredths, halves upwards.
fn rounded(product: i128) -> i128 {
    (product + WHOLE / 2).div_euclid(WHOLE)
}

fn rate(text: &str) -> Result<i128, &'static str> {
    const WRONG: &str =
        "must be a percentage such as 1.5, or one for each account: IBAN:1.5,IBAN:0.8";
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 2
        || fraction.len() > 4
        || !digits(whole)
        || !digits(fraction)
    {
        return Err(WRONG);
    }
    format!("{whole}{fraction:0<4}").parse().map_err(|_| WRONG)
}

/// True if the text of a row names a fee, by a whole word: "dobândirea" is no interest.
pub(super) fn names_a_fee(text: &str) -> bool {
    const WORDS: &str = " comision comisionul comisionului comisioane comisioanele comisioanelor \
        commission commissions fee fees interest \
        комиссия комиссии комиссию комиссией комиссий комиссионные комиссионных \
        удержание удержания удержано удержана удержаны \
        dobândă dobânda dobânzi dobânzii dobanda dobanzi ";
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let is_fee = |word: &&str| WORDS.contains(&format!(" {word} "));
    let of_bank = |pair: &[&str]| {
        matches!(
            pair,
            [
                "taxă" | "taxa" | "taxe" | "taxele",
                "bancară" | "bancara" | "bancare"
            ]
        )
    };
    words.iter().any(is_fee) || words.windows(2).any(of_bank)
}

/// The absolute amount of a fee: banks write fees with and without a sign.
pub(super) fn without_sign(fee: Amount) -> i128 {
    fee.hundredths().abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_all_accounts_or_of_each() {
        let rates = Rates::parse("md24x:1.5, 0.8").unwrap();
        let to = |account: &str, amount| (Some(account.to_owned()), amount);
        assert_eq!(rates.possible(&[to("MD24X", 100_000)]), [1500]);
        assert_eq!(rates.possible(&[to("MD21", 100_000)]), [800]);
        assert_eq!(
            rates.possible(&[(None, 125_050), to("MD24X", 10_000)]),
            [1150]
        );
        // 0.5 hundredths three times are 1.5 hundredths: rounded once 2, rounded each 3.
        let rates = Rates::parse("1").unwrap();
        assert_eq!(
            rates.possible(&[(None, 50), (None, 50), (None, 50)]),
            [3, 2]
        );
        let rates = Rates::parse("MD24X:1").unwrap();
        assert_eq!(rates.possible(&[to("MD24X", 100), to("MD21", 100)]), [0; 0]);
        assert_eq!(Rates::default().possible(&[(None, 100)]), [0; 0]);
        for wrong in ["", "x", "-1", "100", "1.00001", "MD:", "1%", "1.5,"] {
            assert!(Rates::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_row_says_that_it_is_a_fee_in_three_languages() {
        for text in [
            "comision",
            "Comisionul băncii",
            "Комиссия банка",
            "bank fee",
            "TAXA BANCARA lunară",
            "dobânda,10%",
        ] {
            assert!(names_a_fee(text), "{text}");
        }
        for text in [
            "Plata MPay",
            "coffee",
            "",
            "feed",
            "Taxa pentru dobândirea cetățeniei",
            "Comisionar",
            "taxa de stat, tranzacție bancară",
        ] {
            assert!(!names_a_fee(text), "{text}");
        }
    }
}
