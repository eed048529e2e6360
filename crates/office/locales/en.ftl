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

## The office
menu = Menu
menu-today = Today
menu-orders = Orders
sign-in = Sign in
sign-out = Sign out
token = Your access token
token-hint = Whoever keeps the system gives you the token. The session ends after 30 minutes without activity.
token-unknown = The token is not right. Check that you copied all of it.
token-of-program = This is the token of a program; people have tokens of their own.
form-refused-title = The form was not taken
form-refused-text = The form comes from another page, or the session has ended. Open the page again, and repeat.
go-on = Go on
go-back = Back
no-page-title = There is no such page
no-page-text = Check the address, or choose from the menu.
not-allowed = Your role does not allow this
not-found = Not found
changed-meanwhile = Somebody else changed it meanwhile
not-done = It was not done
done = Done.
today = Today, { $day }
came-in = Payments recorded
nothing-came-in = Nothing yet today.
account = Account
amount = Amount
totals-incomplete = There are more payments than fit here; the sum is of the first ones only.
needs-somebody = Needs somebody
nothing-needs-somebody = Nothing.
latest-orders = Latest orders
no-orders = There are no orders.
none-so-far = Nothing found so far; look further.
no-such-order = There is no order of this number.
new-order = New order
further = Further
for-what = What for
status = Status
status-unknown = Unknown status
to-look-at = to look at
only-to-look-at = Only those to look at
any = Any
payer-code = IDNP/IDNO
due-from = Due from
due-to = Due until
find = Find
service = Service
total = Total
amount-overpaid = Paid beyond
refund-reference = Document of the refund
lines = Lines
no-payments = No payments.
voided = Voided
only-latest-payments = Only the latest payments are here.
for-payer = For the payer
pay-link = Page to pay
actions = Actions
do-cancel = Cancel the order
do-complete = Complete the order
do-reopen = Reopen the order
do-refund = Begin the refund
do-refunded = The money was given back
order-number-optional = Order number (empty: one is given)
register = Register
