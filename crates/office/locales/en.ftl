## Every page
languages = Language of the page
not-production-label = Test environment
not-production = Test environment: nobody pays with real money here.
unavailable-title = Back in a moment
unavailable-text = The page cannot be shown now. Load it again in a minute.

## The payer's order
no-order-title = The order was not found
no-order-text = The link is not complete, or no longer valid. Open it once more from the message that you received, or ask the institution.
link-ended-title = The link is no longer valid
link-ended-text = Ask the institution for a new one.
order = The order
order-number = Order number
payer = Payer
issued = Issued
due-date = Pay by
payments = Payments
payment-number = Payment No.
latest-payments = { $count ->
    [one] There is { $count } payment.
   *[other] There are { $count } payments; these are the latest.
}
to-receipt = Statement of payments, to print
to-notice = Payment notice, to print
to-order = Back to the order

status-early = Cannot be paid yet
status-active = To be paid
status-partially-paid = Partly paid
status-paid = Paid
status-expired = Past its date
status-completed = Completed
status-cancelled = Cancelled
status-refunding = Being refunded
status-refunded = Refunded

amount-due = To pay
amount-open = You choose the amount when you pay
amount-paid = Paid
amounts-by-day = The amount depends on the day
until-day = until { $day }
from-day = from { $day }
more-per-day = and { $amount } more each day

pay = Pay with MPay
pay-rest = Pay the rest
pay-again = Pay again
any-amount = You may pay a part of it, or more.
a-part = You may pay a part of it.
more = You may pay more.
number-hint = At MPay, at terminals and counters, type the order number.
opens-on = It can be paid from { $day }.
is-paid = Nothing is left to pay. Thank you.
is-expired = The date to pay by has passed, and MPay no longer takes the payment. Ask the institution.
is-completed = The order is completed. Nothing is left to pay.
is-cancelled = The order was cancelled. Do not pay it.
is-refunding = The money is being given back.
is-refunded = The money was given back.

## The return from MPay
waiting-title = Waiting for the confirmation
waiting-text = MPay's confirmation can take a few minutes. This page loads itself again.
waiting-hint = You may close this page: the payment is recorded all the same.
look-again = Look now
confirmed-title = The payment is recorded
still-due = { $amount } are left to pay.
not-confirmed-title = The payment is not confirmed
not-confirmed-text = If you broke off the payment, nothing has happened. If you paid, the confirmation may come later.
not-confirmed-pay-again = Pay again only if the money was not taken from your account.

## To print
notice = Payment notice
receipt = Statement of payments
scan = Scan with your phone, and pay
or-type = Or type the order number at { $mpay }, at a terminal or counter (service { $service }):
print-hint = Print the page from your browser's menu (Ctrl+P).
receipt-hint = Payments recorded at the institution until { $time }. The fiscal document is the one that MPay issues.
