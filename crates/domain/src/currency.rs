//! Currencies.

/// A text that is not three capital letters of the Latin alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a currency code of ISO 4217, such as MDL")]
pub struct CurrencyError;

/// A currency code, such as `MDL`.
///
/// Any three capital letters: MPay's confirmations and old registrations must stay readable when a
/// currency leaves the list. Registration asks [`Currency::is_active`] too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The active codes of ISO 4217, list one, as of 2026, in which something can be paid: without
/// metals, funds, units of account and test codes.
const ACTIVE: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS \
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW \
    KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR \
    MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR \
    SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX \
    USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

impl Currency {
    /// The Moldovan leu.
    pub const MDL: Self = Self(*b"MDL");

    /// Reads three capital letters.
    ///
    /// # Errors
    /// [`CurrencyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        match <[u8; 3]>::try_from(text.trim().as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(CurrencyError),
        }
    }

    /// True if ISO 4217 lists it as a currency in use.
    pub fn is_active(&self) -> bool {
        ACTIVE.split(' ').any(|code| code == self.as_str())
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        // The constructors admit ASCII letters only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_three_capital_letters() {
        assert_eq!(Currency::parse("MDL"), Ok(Currency::MDL));
        for wrong in ["mdl", "MD", "MDLL", "M1L", ""] {
            assert!(Currency::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_in_use_is_told_from_what_was_and_what_never_will_be() {
        for code in ["MDL", "EUR", "RON", "AED", "ZWG"] {
            assert!(Currency::parse(code).unwrap().is_active(), "{code}");
        }
        for code in ["LEI", "HRK", "ROL", "XAU", "XXX", "XTS"] {
            assert!(!Currency::parse(code).unwrap().is_active(), "{code}");
        }
        let codes: Vec<_> = ACTIVE.split(' ').collect();
        assert!(codes.is_sorted());
        assert!(codes.iter().all(|code| Currency::parse(code).is_ok()));
    }
}
