//! Every text of the pages, in Romanian, Russian and English. Fault codes and members of the contract
//! stay as they are, and a status is shown beside its translation: one has to find them in the contract.

use stage::{Text, texts};

use super::mischief::Mischief;

texts! {
    REHEARSAL: "Repetiție", "Репетиция", "Rehearsal";
    NOT_MPAY: "Acesta nu este MPay. Nu se mișcă bani.", "Это не MPay. Деньги не списываются.", "This is not MPay. No money moves.";
    PROVIDER: "Prestator", "Поставщик", "Provider";
    LANGUAGES: "Limba paginii", "Язык страницы", "Language of the page";
    JOURNAL: "Jurnal", "Журнал", "Journal";
    START: "Început", "Начало", "Start";

    START_TITLE: "Plătește o comandă", "Оплатить заказ", "Pay an order";
    START_HINT: "Alege serviciul și introdu numărul comenzii, cum ar face plătitorul pe MPay.", "Выберите услугу и введите номер заказа, как сделал бы плательщик на MPay.", "Pick the service and type the order number, as a payer would at MPay.";
    SERVICE: "Serviciu", "Услуга", "Service";
    ORDER_NUMBER: "Numărul comenzii", "Номер заказа", "Order number";
    SHOW_INVOICE: "Afișează nota de plată", "Показать счёт", "Show the invoice";
    RECENT: "Plăți recente", "Последние платежи", "Recent payments";

    SAMPLE_ORDERS: "Comenzi de probă", "Пробные заказы", "Sample orders";
    TERMINAL: "Configurarea terminalului", "Настройка терминала", "Setting up a terminal";
    TERMINAL_HINT: "La MPay, operatorul alege aici terminalul POS. Aici nu este nimic de ales: orice browser ține loc de terminal.", "На MPay оператор выбирает здесь POS-терминал. Здесь выбирать нечего: терминалом служит любой браузер.", "At MPay, the operator picks the POS terminal here. There is nothing to pick here: any browser serves as a terminal.";

    SEVERAL: "Mai multe comenzi sub acest număr", "Несколько заказов под этим номером", "Several orders under this number";
    SEVERAL_HINT: "Alegeți comanda de plătit: fiecare se achită separat.", "Выберите заказ: каждый оплачивается отдельно.", "Choose the order to pay: each is paid by itself.";

    INVOICE: "Notă de plată", "Счёт к оплате", "Invoice";
    INVOICE_NUMBER: "Numărul notei de plată", "Номер счёта", "Invoice number";
    PAYER: "Plătitor", "Плательщик", "Payer";
    CUSTOMER_UNKNOWN: "IDNP/IDNO necunoscut: MPay l-ar cere plătitorului.", "IDNP/IDNO неизвестен: MPay запросил бы его у плательщика.", "IDNP/IDNO not known: MPay would ask the payer for it.";
    STATUS: "Starea comenzii", "Состояние заказа", "Status";
    ISSUED: "Emisă", "Выставлен", "Issued";
    DUE: "Termen de plată", "Срок оплаты", "Due";
    ACTIVE: "De achitat", "К оплате", "To be paid";
    PARTIALLY_PAID: "Achitată parțial", "Оплачен частично", "Partially paid";
    PAID_STATUS: "Achitată", "Оплачен", "Paid";
    COMPLETED: "Încheiată", "Завершён", "Completed";
    EXPIRED: "Expirată", "Истёк", "Expired";
    CANCELLED: "Anulată", "Отменён", "Cancelled";
    REFUNDING: "În curs de restituire", "Возвращается", "Being refunded";
    REFUNDED: "Restituită", "Возвращён", "Refunded";
    LINES: "Poziții", "Позиции", "Lines";
    BENEFICIARY: "Beneficiar", "Получатель", "Beneficiary";
    NOT_KNOWN: "nu este cunoscută", "неизвестна", "not known";
    TOTAL: "Total de plată", "Всего к оплате", "Total due";
    DOWNLOAD_PDF: "Descarcă PDF", "Скачать PDF", "Download PDF";

    AMOUNT: "Suma achitată", "Сумма платежа", "Amount to pay";
    AMOUNT_PARTIAL: "Se poate achita și o parte.", "Можно оплатить часть.", "A part may be paid.";
    AMOUNT_ADVANCE: "Se poate achita și mai mult.", "Можно оплатить больше.", "More may be paid.";
    TO_FILL_IN: "De completat", "Заполните", "To fill in";
    REQUIRED: "obligatoriu", "обязательно", "required";
    INSTRUMENT: "Cum plătești", "Способ оплаты", "How to pay";
    CARD: "Card bancar", "Банковская карта", "Bank card";
    INSTANT: "Plată instant MIA", "Мгновенный платёж MIA", "MIA instant payment";
    BANKING: "Internet banking", "Интернет-банкинг", "Internet banking";
    CASH: "Numerar la terminal", "Наличные в терминале", "Cash at a terminal";
    CARD_AT_TERMINAL: "Card la terminalul POS", "Карта в POS-терминале", "Card at the POS terminal";
    CASH_AT_DESK: "Numerar la casă", "Наличные в кассе", "Cash at the desk";
    PAY: "Achită", "Оплатить", "Pay";
    FAIL: "Simulează o plată eșuată", "Имитировать отказ в оплате", "Let the payment fail";
    CONFIRM_ALL_THE_SAME: "Confirmă totuși", "Всё равно подтвердить", "Confirm all the same";
    NOT_PAYABLE: "Comanda nu poate fi achitată în această stare.", "В этом состоянии заказ нельзя оплатить.", "The order cannot be paid in this state.";
    NOT_PAYABLE_HINT: "MPay nu ar oferi plata. O confirmare poate sosi totuși, dacă banii s-au mișcat înainte.", "MPay не предложил бы оплату. Но подтверждение может прийти, если деньги ушли раньше.", "MPay would not offer to pay. A confirmation may come all the same, if money moved before.";
    TROUBLE: "Simulează o problemă", "Сымитировать сбой", "Rehearse trouble";
    TROUBLE_HINT: "Cum trimite MPay confirmarea:", "Как MPay отправляет подтверждение:", "How MPay sends the confirmation:";
    AS_USUAL: "ca de obicei, până reușește", "как обычно, пока не получится", "as usual, until it succeeds";

    WRONG_AMOUNT: "Suma nu este un număr ca 125.50.", "Сумма должна быть числом, например 125.50.", "The amount is no number such as 125.50.";
    NOTHING_TO_PAY: "Suma trebuie să fie mai mare ca zero.", "Сумма должна быть больше нуля.", "The amount must be more than zero.";
    TOO_LITTLE: "Comanda nu permite plata parțială: suma nu poate fi mai mică.", "Заказ нельзя оплатить частично: сумма не может быть меньше.", "The order may not be paid in part: the amount cannot be less.";
    TOO_MUCH: "Comanda nu permite plata în avans: suma nu poate fi mai mare.", "Заказ нельзя оплатить авансом: сумма не может быть больше.", "The order may not be paid in advance: the amount cannot be more.";
    FILL_IN: "Completează câmpurile obligatorii.", "Заполните обязательные поля.", "Fill in what is required.";
    TOO_LONG: "Un câmp are cel mult 255 de caractere.", "В поле не больше 255 знаков.", "A field has at most 255 characters.";

    NO_ORDER: "Nota de plată nu poate fi afișată", "Не удалось показать счёт", "The invoice cannot be shown";
    NO_ORDER_FAULT: "Prestatorul a răspuns cu un fault semnat.", "Поставщик ответил подписанным fault.", "The provider answered a signed fault.";
    NO_ORDER_EMPTY: "Prestatorul a răspuns fără nicio comandă.", "Поставщик ответил без заказов.", "The provider answered without an order.";
    NO_ORDER_UNUSABLE: "Răspunsul este nevalid: semnătura sau conținutul nu corespunde. MPay nu l-ar accepta.", "Ответ недействителен: не та подпись или непонятное содержание. MPay его не принял бы.", "The answer cannot be believed or understood. MPay would not accept it.";
    NO_ORDER_UNREACHABLE: "Prestatorul nu răspunde. Pornește-l și reîncearcă.", "Поставщик не отвечает. Запустите его и повторите.", "The provider does not answer. Start it, and try again.";
    SEE_JOURNAL: "Ambele mesaje sunt în jurnal", "Оба сообщения в журнале", "Both messages are in the journal";
    TRY_AGAIN: "Reîncearcă", "Повторить", "Try again";

    CONFIRMED: "Plată confirmată", "Платёж подтверждён", "Payment confirmed";
    CONFIRMED_HINT: "Prestatorul a primit confirmarea și a răspuns cu succes.", "Поставщик получил подтверждение и ответил успехом.", "The provider received the confirmation and answered success.";
    CONFIRMING: "Confirmăm plata prestatorului", "Подтверждаем платёж поставщику", "The payment is being confirmed to the provider";
    CONFIRMING_HINT: "Ca MPay, repetăm până reușește. Pagina se reîncarcă singură.", "Как MPay, повторяем, пока не получится. Страница обновляется сама.", "Like MPay, we repeat until it succeeds. The page reloads by itself.";
    NEXT_ATTEMPT: "Următoarea încercare în", "Следующая попытка через", "Next attempt in";
    SECONDS: "s", "с", "s";
    NOW: "Încearcă acum", "Попробовать сейчас", "Try now";
    STOP: "Oprește", "Остановить", "Stop";
    UNCONFIRMED: "Plata nu este confirmată", "Платёж не подтверждён", "The payment is not confirmed";
    UNCONFIRMED_HINT: "Prestatorul nu știe de ea. MPay ar repeta până reușește.", "Поставщик о нём не знает. MPay повторял бы, пока не получится.", "The provider does not know of it. MPay would repeat until it succeeds.";
    CONFIRM_USUAL: "Confirmă ca MPay", "Подтвердить как MPay", "Confirm as MPay does";
    FAILED: "Plata nu a reușit", "Платёж не прошёл", "The payment failed";
    FAILED_HINT: "Banii nu s-au mișcat, deci MPay nu trimite nimic prestatorului.", "Деньги не ушли, поэтому MPay ничего не отправляет поставщику.", "No money moved, so MPay sends nothing to the provider.";
    RETURN: "Înapoi la prestator", "Вернуться к поставщику", "Back to the provider";
    NO_RETURN: "ReturnUrl nu este o adresă http sau https, așa că nu este folosit:", "ReturnUrl — не адрес http или https, поэтому не используется:", "ReturnUrl is no http or https address, so it is not used:";
    ANOTHER: "Altă comandă", "Другой заказ", "Another order";
    ORDER_AGAIN: "Vezi comanda acum", "Посмотреть заказ сейчас", "See the order now";
    PAYMENT_ID: "PaymentID", "PaymentID", "PaymentID";
    PAID: "Suma", "Сумма", "Amount";
    PAID_BY: "Instrument", "Способ", "Instrument";
    PAID_AT: "Achitat la", "Оплачено", "Paid at";
    ATTEMPTS: "Încercări", "Попытки", "Attempts";
    SUCCESS: "succes", "успех", "success";
    UNUSABLE: "răspuns nevalid", "недействительный ответ", "answer not to be believed";
    UNREACHABLE: "fără răspuns", "нет ответа", "no answer";

    PLAY: "Simulează", "Сымитировать", "Rehearse it";
    CHOOSE_TROUBLE: "Ce se întâmplă", "Что случается", "What happens";
    RIGHT: "Un prestator corect", "Правильный поставщик", "A right provider";
    DID_RIGHT: "corect", "верно", "right";
    DID_WRONG: "greșit", "неверно", "wrong";
    NOT_PLAYED: "nimic trimis", "ничего не отправлено", "nothing sent";
    NOT_EXPIRED: "Comanda nu a expirat, deci nu este nimic de simulat. Alege una al cărei termen (due_date) a trecut.", "Заказ не истёк, имитировать нечего. Выберите заказ, срок которого (due_date) прошёл.", "The order has not expired, so there is nothing to rehearse. Pick one whose due_date has passed.";
    EXPECTED: "Așteptat", "Ожидается", "Expected";
    SENT: "Trimis", "Отправлено", "Sent";
    ANSWER_LOST: "răspunsul s-a pierdut", "ответ потерян", "the answer was lost";
    ORDER_BEFORE: "Comanda înainte", "Заказ до", "Order before";
    ORDER_AFTER: "Comanda după", "Заказ после", "Order after";
    DUE_NOW: "de plată", "к оплате", "due";
    MESSAGES: "mesaje", "сообщения", "messages";

    JOURNAL_HINT: "Fiecare schimb cu prestatorul, cel mai nou întâi; ultimele 500 se păstrează până la oprire.", "Каждый обмен с поставщиком, сначала новые; последние 500 хранятся до остановки.", "Every exchange with the provider, the latest first; the last 500 are kept until the stop.";
    JOURNAL_EMPTY: "Încă nimic. Achită o comandă.", "Пока пусто. Оплатите заказ.", "Nothing yet. Pay an order.";
    DOWNLOAD_ALL: "Descarcă tot (JSON)", "Скачать всё (JSON)", "Download all (JSON)";
    TIME: "Ora", "Время", "Time";
    CALL: "Apel", "Вызов", "Call";
    ORDER: "Comanda", "Заказ", "Order";
    OUTCOME: "Rezultat", "Результат", "Outcome";
    SIGNATURE: "Semnătura răspunsului", "Подпись ответа", "Signature of the answer";
    VERIFIED: "verificată", "проверена", "verified";
    NOT_VERIFIED: "neverificată", "не проверена", "not verified";
    TOOK: "Durata", "Длительность", "Took";
    SIGNING: "semnare", "подпись", "signing";
    WAITING: "răspuns", "ответ", "answer";
    EXCHANGE: "Schimbul", "Обмен", "Exchange";
    REQUEST: "Cererea", "Запрос", "Request";
    ANSWER: "Răspunsul", "Ответ", "Answer";
    DOWNLOAD: "Descarcă", "Скачать", "Download";
    NO_ANSWER: "Nu a venit niciun răspuns.", "Ответ не пришёл.", "No answer came.";

    NOT_FOUND: "Nu există", "Не найдено", "Not found";
    NOT_FOUND_HINT: "Pagina nu există, sau ține de o rulare anterioară.", "Такой страницы нет, или она от прошлого запуска.", "There is no such page, or it belongs to an earlier run.";
    MISSING: "Lipsește un câmp", "Не хватает поля", "A field is missing";
    MISSING_HINT: "Pagina prestatorului trimite ServiceID și OrderKey, de la 1 la 36 de caractere, și dacă vrea ReturnUrl.", "Страница поставщика отправляет ServiceID и OrderKey, от 1 до 36 знаков, и, если нужно, ReturnUrl.", "The provider's page posts ServiceID and OrderKey, of 1 to 36 characters, and if it likes ReturnUrl.";
    PDF_NOTE: "Document de repetiție. Nu este emis de MPay și nu dovedește nicio plată.", "Репетиционный документ. Не выдан MPay и не подтверждает платёж.", "A document of a rehearsal. Not issued by MPay, and no proof of a payment.";
    ACCOUNT: "Cont", "Счёт", "Account";
    BANK_CODE: "Cod bancar", "Код банка", "Bank code";
    FISCAL_CODE: "Cod fiscal", "Фискальный код", "Fiscal code";
    PAGE: "Pagina", "Страница", "Page";

    REPEAT: "Confirmarea se repetă", "Подтверждение повторяется", "The confirmation is repeated";
    REPEAT_RIGHT: "răspunde de două ori cu succes și înregistrează o singură plată.", "дважды отвечает успехом и записывает один платёж.", "answers success twice, and records one payment.";
    TWICE: "De două ori deodată", "Дважды одновременно", "Twice at once";
    TWICE_RIGHT: "înregistrează o singură plată; cel care așteaptă poate primi InternalError, repetarea reușește.", "записывает один платёж; ожидающий может получить InternalError, повтор успешен.", "records one payment; who waits may get InternalError, and the repetition succeeds.";
    DROP_ANSWER: "Răspunsul se pierde, MPay repetă", "Ответ теряется, MPay повторяет", "The answer is lost, MPay repeats";
    DROP_ANSWER_RIGHT: "răspunde din nou cu succes și nu înregistrează a doua plată.", "снова отвечает успехом и не записывает второй платёж.", "answers success again, and records no second payment.";
    OTHER_AMOUNT: "Același PaymentID cu altă sumă", "Тот же PaymentID с другой суммой", "The same PaymentID with another amount";
    OTHER_AMOUNT_RIGHT: "refuză cu InvalidParameter și nu schimbă nimic.", "отказывает с InvalidParameter и ничего не меняет.", "refuses with InvalidParameter, and changes nothing.";
    LATE: "Confirmarea vine cu trei zile întârziere", "Подтверждение приходит через три дня", "The confirmation comes three days late";
    LATE_RIGHT: "o primește: banii s-au mișcat atunci.", "принимает его: деньги ушли тогда.", "takes it: the money moved then.";
    AFTER_EXPIRY: "Comanda a expirat între timp", "Заказ тем временем истёк", "The order has expired meanwhile";
    AFTER_EXPIRY_RIGHT: "primește plata, fiindcă banii s-au mișcat, și o semnalează pentru verificare.", "принимает платёж, раз деньги ушли, и помечает его для проверки.", "takes the payment, since money has moved, and flags it for review.";
    STALE: "Mesajul este expirat", "Срок сообщения истёк", "The message has expired";
    STALE_RIGHT: "refuză cu AuthenticationFailed: un mesaj vechi poate fi o copie.", "отказывает с AuthenticationFailed: старое сообщение может быть копией.", "refuses with AuthenticationFailed: an old message may be a copy.";
    WRONG_KEY: "Semnat cu o cheie străină", "Подписано чужим ключом", "Signed with the wrong key";
    WRONG_KEY_RIGHT: "refuză cu AuthenticationFailed și nu schimbă nimic.", "отказывает с AuthenticationFailed и ничего не меняет.", "refuses with AuthenticationFailed, and changes nothing.";
    TAMPERED: "Suma schimbată după semnare", "Сумма изменена после подписи", "The amount changed after signing";
    TAMPERED_RIGHT: "refuză cu AuthenticationFailed și nu schimbă nimic.", "отказывает с AuthenticationFailed и ничего не меняет.", "refuses with AuthenticationFailed, and changes nothing.";
    SHA256: "SHA-256 în loc de SHA-1", "SHA-256 вместо SHA-1", "SHA-256 instead of SHA-1";
    SHA256_RIGHT: "o acceptă: MPay va trece pe SHA-256.", "принимает: MPay перейдёт на SHA-256.", "accepts it: MPay will move on to SHA-256.";
    WCF: "În forma scrisă de WCF", "В форме WCF", "In the form of WCF";
    WSS4J: "În forma unui client Java (WSS4J)", "В форме клиента Java (WSS4J)", "In the form of a Java client (WSS4J)";
    DOT_NET: "În forma instrumentului .NET guvernamental", "В форме правительственного инструмента .NET", "In the form of the government's .NET tool";
    SHAPE_RIGHT: "o acceptă: conținutul și semnătura sunt aceleași în altă formă.", "принимает: содержание и подпись те же, форма другая.", "accepts it: it says the same, signed, in another form.";
}

/// The words for payers of a status of the contract.
pub fn status(status: &str) -> Option<Text> {
    Some(match status {
        "Active" => ACTIVE,
        "PartiallyPaid" => PARTIALLY_PAID,
        "Paid" => PAID_STATUS,
        "Completed" => COMPLETED,
        "Expired" => EXPIRED,
        "Cancelled" => CANCELLED,
        "Refunding" => REFUNDING,
        "Refunded" => REFUNDED,
        _ => return None,
    })
}

/// The name of a mischief.
pub fn title(mischief: Mischief) -> Text {
    match mischief {
        Mischief::Repeat => REPEAT,
        Mischief::Twice => TWICE,
        Mischief::DropAnswer => DROP_ANSWER,
        Mischief::OtherAmount => OTHER_AMOUNT,
        Mischief::Late => LATE,
        Mischief::AfterExpiry => AFTER_EXPIRY,
        Mischief::Stale => STALE,
        Mischief::WrongKey => WRONG_KEY,
        Mischief::Tampered => TAMPERED,
        Mischief::Sha256 => SHA256,
        Mischief::Wcf => WCF,
        Mischief::Wss4j => WSS4J,
        Mischief::DotNet => DOT_NET,
    }
}

/// The right answer of a provider to it.
pub fn right(mischief: Mischief) -> Text {
    match mischief {
        Mischief::Repeat => REPEAT_RIGHT,
        Mischief::Twice => TWICE_RIGHT,
        Mischief::DropAnswer => DROP_ANSWER_RIGHT,
        Mischief::OtherAmount => OTHER_AMOUNT_RIGHT,
        Mischief::Late => LATE_RIGHT,
        Mischief::AfterExpiry => AFTER_EXPIRY_RIGHT,
        Mischief::Stale => STALE_RIGHT,
        Mischief::WrongKey => WRONG_KEY_RIGHT,
        Mischief::Tampered => TAMPERED_RIGHT,
        Mischief::Sha256 => SHA256_RIGHT,
        Mischief::Wcf | Mischief::Wss4j | Mischief::DotNet => SHAPE_RIGHT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn romanian_is_written_with_commas_below_and_russian_in_cyrillic() {
        for text in ALL {
            assert_eq!(text.mistake(), None);
        }
    }
}
