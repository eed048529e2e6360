## Every page
languages = Limba paginii
not-production-label = Mediu de testare
not-production = Mediu de testare: aici nu se plătește cu bani reali.
unavailable-title = Revenim îndată
unavailable-text = Pagina nu poate fi afișată acum. Reîncărcați-o peste un minut.

## The payer's order
no-order-title = Comanda nu a fost găsită
no-order-text = Linkul nu este complet sau nu mai este valabil. Deschideți-l încă o dată din mesajul primit sau adresați-vă instituției.
link-ended-title = Linkul nu mai este valabil
link-ended-text = Cereți instituției un link nou.
order = Comanda
order-number = Numărul comenzii
payer = Plătitor
issued = Emisă
due-date = Termen de plată
payments = Plăți
payment-number = Plata nr.
latest-payments = { $count ->
    [one] O singură plată.
    [few] Sunt { $count } plăți; aici apar ultimele.
   *[other] Sunt { $count } de plăți; aici apar ultimele.
}
to-receipt = Extras al plăților, pentru tipărit
to-notice = Notă de plată, pentru tipărit
to-order = Înapoi la comandă

status-early = Încă nu se poate plăti
status-active = De achitat
status-partially-paid = Achitată parțial
status-paid = Achitată
status-expired = Termen depășit
status-completed = Încheiată
status-cancelled = Anulată
status-refunding = În curs de restituire
status-refunded = Restituită

amount-due = De plată
amount-open = Suma o alegeți la plată
amount-paid = Achitat
amounts-by-day = Suma depinde de zi
until-day = până la { $day }
from-day = din { $day }
more-per-day = și câte { $amount } în plus pe zi

pay = Plătiți prin MPay
pay-rest = Plătiți restul
pay-again = Plătiți din nou
any-amount = Puteți plăti o parte din sumă sau mai mult.
a-part = Puteți plăti și o parte din sumă.
more = Puteți plăti și mai mult.
number-hint = La MPay, la terminale și la ghișee introduceți numărul comenzii.
opens-on = Se poate plăti din { $day }.
is-paid = Nu mai este nimic de plată. Vă mulțumim.
is-expired = Termenul de plată a trecut, iar MPay nu mai primește plata. Adresați-vă instituției.
is-completed = Comanda este încheiată. Nu mai este nimic de plată.
is-cancelled = Comanda a fost anulată. Nu o plătiți.
is-refunding = Banii sunt în curs de restituire.
is-refunded = Banii au fost restituiți.

## The return from MPay
waiting-title = Așteptăm confirmarea plății
waiting-text = Confirmarea de la MPay poate dura câteva minute. Pagina se reîncarcă singură.
waiting-hint = Puteți închide această pagină: plata se înregistrează oricum.
look-again = Verificați acum
confirmed-title = Plata a fost înregistrată
still-due = Rămân de plată { $amount }.
not-confirmed-title = Plata nu a fost confirmată
not-confirmed-text = Dacă ați întrerupt plata, nu s-a întâmplat nimic. Dacă ați plătit, confirmarea poate veni mai târziu.
not-confirmed-pay-again = Plătiți din nou doar dacă banii nu au fost luați din cont.

## To print
notice = Notă de plată
receipt = Extras al plăților
scan = Scanați cu telefonul și plătiți
or-type = Sau introduceți la { $mpay }, la terminal ori la ghișeu numărul comenzii (serviciul { $service }):
print-hint = Tipăriți pagina din meniul browserului (Ctrl+P).
receipt-hint = Plățile înregistrate la instituție până la { $time }. Documentul fiscal este cel eliberat de MPay.

## The office
menu = Meniu
menu-today = Astăzi
menu-orders = Comenzi
sign-in = Autentificare
sign-out = Ieșire
token = Codul personal de acces
token-hint = Codul (token) îl primiți de la persoana care administrează sistemul. Sesiunea se încheie după 30 de minute fără activitate.
token-unknown = Codul nu este corect. Verificați că l-ați copiat întreg.
token-of-program = Acesta este codul unui program; oamenii au coduri proprii.
form-refused-title = Formularul nu a fost primit
form-refused-text = Formularul vine de la altă pagină sau sesiunea s-a încheiat între timp. Deschideți pagina din nou și repetați.
go-on = Continuați
go-back = Înapoi
no-page-title = Pagina nu există
no-page-text = Verificați adresa sau alegeți din meniu.
not-allowed = Rolul dumneavoastră nu permite aceasta
not-found = Nu a fost găsit
changed-meanwhile = Altcineva a schimbat între timp
not-done = Nu s-a făcut
done = S-a făcut.
today = Astăzi, { $day }
came-in = Plăți înregistrate
nothing-came-in = Încă nimic astăzi.
account = Cont
amount = Suma
totals-incomplete = Sunt mai multe plăți decât încap aici; suma este doar a celor dintâi.
needs-somebody = Cere atenție
nothing-needs-somebody = Nimic.
latest-orders = Ultimele comenzi
no-orders = Nu este nicio comandă.
none-so-far = Încă nimic găsit; căutați mai departe.
no-such-order = Nu există o comandă cu acest număr.
new-order = Comandă nouă
further = Mai departe
for-what = Pentru ce
status = Stare
status-unknown = Stare necunoscută
to-look-at = de verificat
only-to-look-at = Doar cele de verificat
any = Oricare
payer-code = IDNP/IDNO
due-from = Termen de la
due-to = Termen până la
find = Căutați
service = Serviciu
total = Total
amount-overpaid = Plătit în plus
refund-reference = Documentul restituirii
lines = Poziții
no-payments = Nicio plată.
voided = Anulată
only-latest-payments = Aici apar doar ultimele plăți.
for-payer = Pentru plătitor
pay-link = Pagina de plată
actions = Acțiuni
do-cancel = Anulați comanda
do-complete = Încheiați comanda
do-reopen = Redeschideți comanda
do-refund = Începeți restituirea
do-refunded = Banii au fost restituiți
order-number-optional = Numărul comenzii (gol: se dă unul)
register = Înregistrați
