//! A configuration that the tests of this crate read.

use std::ops::RangeInclusive;

use wsse::Certificate;

use crate::{
    app::Configuration,
    config::{
        ConfigError, Environment, LOG_FORMAT, Misconfigured, PAUSED, Reader, SERVICES, Services,
        Variables,
    },
};

/// Services, a switch, a range of which one variable has either end, and an address that is
/// optional.
#[derive(Debug)]
pub struct Plain {
    environment: Environment,
    pub services: Services,
    pub accept_sha1: bool,
    pub range: RangeInclusive<u32>,
    off: Vec<ConfigError>,
    doubts: Vec<ConfigError>,
}

impl Plain {
    pub fn variables() -> Variables {
        let mut variables = Variables::default();
        for (name, value) in [
            ("environment", "test"),
            ("lower", "1"),
            ("upper", "9"),
            ("service_ids", "TAX, SCHOOL"),
            ("bank_account", "MD24AG000225100013104168"),
            ("bank_code", "AGRNMD2X"),
            ("bank_fiscal_code", "1000000000007"),
            ("beneficiary_name", "Primăria"),
            ("webhook_secret", "hunter2"),
        ] {
            variables.set(name, value.to_owned());
        }
        variables
    }
}

impl Configuration for Plain {
    crate::variables! {
        required: [
            "accept_sha1",
            "bank_account",
            "bank_code",
            "bank_fiscal_code",
            "beneficiary_name",
            "environment",
            "lower",
            "service_ids",
            "services",
            "upper",
            "webhook_secret",
        ],
        optional: [
            LOG_FORMAT,
            PAUSED,
            "webhook_url",
        ],
    }

    type Rest = ();
    type Memory = ();

    fn read(variables: &Variables) -> Result<Self, Misconfigured<()>> {
        assert!(SERVICES.iter().all(|name| Self::VARIABLES.contains(name)));
        let mut reader = Reader::new(variables);
        let environment = reader.environment();
        let services = reader.services();
        let accept_sha1 = reader.word("accept_sha1", true, &[("true", true), ("false", false)]);
        let range = reader.number("lower", 0, 1000, "")..=reader.number("upper", 0, 1000, "");
        if range.is_empty() {
            reader.error("upper", "is below lower");
        }
        if variables
            .get("webhook_url")
            .is_some_and(|url| !url.starts_with("https:"))
        {
            reader.error("webhook_url", "must begin with https:");
        }
        reader.operation();
        if !reader.is_usable(Self::OPTIONAL) {
            return Err(Misconfigured {
                errors: reader.errors,
                rest: (),
            });
        }
        Ok(Self {
            environment,
            services,
            accept_sha1,
            range,
            off: reader.errors,
            doubts: reader.doubts,
        })
    }

    fn environment(&self) -> Environment {
        self.environment
    }

    fn off(&self) -> &[ConfigError] {
        &self.off
    }

    fn doubts(&self) -> &[ConfigError] {
        &self.doubts
    }

    fn certificates(&self) -> Vec<(&'static str, &Certificate)> {
        Vec::new()
    }
}
