//! The filters of the API's list of orders, by the same names.

use clap::Args;

#[derive(Debug, Args)]
pub struct Filters {
    /// Active, PartiallyPaid, Paid, Expired, Completed, Cancelled, Refunding or Refunded.
    #[arg(long)]
    status: Option<String>,
    /// `open`, or one flag that a person must look at, such as `double`.
    #[arg(long, value_name = "FLAG")]
    review: Option<String>,
    /// The service.
    #[arg(long, value_name = "SERVICE")]
    service_id: Option<String>,
    /// Another name of the order, such as a contract's number; with `--service-id` where there are
    /// several services.
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// IDNP or IDNO of the payer.
    #[arg(long, value_name = "NUMBER")]
    customer_id: Option<String>,
    /// Words of the payer's name, or their beginnings, in any case: `turcanu st`.
    #[arg(long, value_name = "NAME")]
    customer_name: Option<String>,
    /// A name and a value of the order's metadata, such as `cost_centre:4512`.
    #[arg(long, value_name = "NAME:VALUE")]
    metadata: Option<String>,
    /// The amount that the order asks today, or that is due of it.
    #[arg(long, value_name = "AMOUNT")]
    amount_due: Option<String>,
    /// Due on this day or later, such as 2026-12-31.
    #[arg(long, value_name = "DAY")]
    due_from: Option<String>,
    /// Due on this day or before.
    #[arg(long, value_name = "DAY")]
    due_to: Option<String>,
    /// Registered on this day, or at this time, or later.
    #[arg(long, value_name = "TIME")]
    registered_from: Option<String>,
    /// Registered on this day, or at this time, or before.
    #[arg(long, value_name = "TIME")]
    registered_to: Option<String>,
}

impl Filters {
    /// The parameters of the query.
    pub fn pairs(&self) -> Vec<(&'static str, &str)> {
        let pairs = [
            ("status", &self.status),
            ("review", &self.review),
            ("service_id", &self.service_id),
            ("alias", &self.alias),
            ("customer_id", &self.customer_id),
            ("customer_name", &self.customer_name),
            ("metadata", &self.metadata),
            ("amount_due", &self.amount_due),
            ("due_from", &self.due_from),
            ("due_to", &self.due_to),
            ("registered_from", &self.registered_from),
            ("registered_to", &self.registered_to),
        ];
        let pairs = pairs.into_iter();
        pairs
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect()
    }
}
