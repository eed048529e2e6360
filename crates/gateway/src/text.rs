//! Every text of the pages, in Romanian, Russian and English. States, codes and commands of the contract
//! are not translated, so that people find them in the contract.

use stage::{Text, texts};

use crate::mischief::Mischief;

texts! {
    REHEARSAL: "Repetiție", "Репетиция", "Rehearsal";
    NOT_REAL: "Aceasta nu este o bancă. Nu se mișcă bani. Nu introduce un card adevărat.", "Это не банк. Деньги не списываются. Не вводите настоящую карту.", "This is no bank. No money moves. Do not type a real card.";
    LANGUAGES: "Limba paginii", "Язык страницы", "Language of the page";
    CABINET: "Cabinet", "Кабинет", "Cabinet";
    JOURNAL: "Jurnal", "Журнал", "Journal";

    START_TITLE: "Poarta de carduri", "Карточный шлюз", "The card gateway";
    START_HINT: "Sistemul instituției deschide aici o sesiune (Init) și trimite plătitorul la pagina cardului.", "Система учреждения открывает здесь сессию (Init) и отправляет плательщика на страницу карты.", "The institution's system opens a session here (Init) and sends the payer to the page of the card.";
    TERMINAL: "Terminal", "Терминал", "Terminal";
    NOTIFICATIONS: "Notificări", "Уведомления", "Notifications";
    NOT_SENT: "nu se trimit", "не отправляются", "are not sent";
    CARDS: "Carduri de probă", "Пробные карты", "Cards for rehearsal";
    CARDS_HINT: "Codul este 123, termenul orice lună viitoare.", "Код 123, срок — любой будущий месяц.", "The code is 123, the date any coming month.";
    CARD_NUMBER: "Numărul cardului", "Номер карты", "Card number";

    PAYMENT: "Plata cu cardul", "Оплата картой", "Payment by card";
    ADDING: "Salvarea unui card", "Сохранение карты", "Saving a card";
    TO_PAY: "De plată", "К оплате", "To pay";
    MONTH: "Luna", "Месяц", "Month";
    YEAR: "Anul", "Год", "Year";
    SECURITY_CODE: "Codul (CVV)", "Код (CVV)", "Code (CVV)";
    HOLDER: "Numele de pe card", "Имя на карте", "Name on the card";
    SAVE_CARD: "Salvează cardul", "Сохранить карту", "Save the card";
    NEW_CARD: "Alt card", "Другая карта", "Another card";
    SAVED_CARDS: "Carduri salvate", "Сохранённые карты", "Saved cards";
    PAY: "Plătește", "Оплатить", "Pay";
    SAVE: "Salvează", "Сохранить", "Save";
    BACK: "Înapoi la comerciant", "Вернуться к продавцу", "Back to the merchant";
    TROUBLE: "Simulează o problemă", "Сымитировать сбой", "Rehearse trouble";
    TROUBLE_HINT: "Ce merge prost:", "Что идёт не так:", "What goes wrong:";
    AS_USUAL: "nimic", "ничего", "nothing";
    AT_COMMAND: "La comanda:", "При команде:", "At the command:";
    ANY_COMMAND: "următoarea, oricare", "следующей, любой", "the next one, whichever";

    NO_CARD: "Aici există doar cardurile de probă. Alege unul din listă; un card adevărat nu are ce căuta aici.", "Здесь есть только пробные карты. Выберите из списка; настоящей карте здесь не место.", "Only the cards for rehearsal exist here. Pick one of the list; a real card has no place here.";
    EXPIRED_CARD: "Termenul cardului a trecut sau nu este o lună.", "Срок карты истёк или это не месяц.", "The card's date has passed, or is no month.";
    SESSION_OVER: "Sesiunea s-a încheiat", "Сессия завершена", "The session is over";
    SESSION_OVER_HINT: "Timpul a expirat sau plata s-a făcut deja. Întoarce-te la comerciant.", "Время истекло, или платёж уже сделан. Вернитесь к продавцу.", "Its time has passed, or it was paid already. Go back to the merchant.";
    FAILED: "Plata nu a reușit", "Платёж не прошёл", "The payment failed";
    FAILED_HINT: "Poți încerca din nou, cu același card sau cu altul.", "Можно попробовать ещё раз, с той же или другой картой.", "You may try again, with the same card or another one.";
    SECURE: "3-D Secure", "3-D Secure", "3-D Secure";
    SECURE_HINT: "Banca emitentă ar cere aici un cod din SMS sau din aplicație.", "Банк-эмитент запросил бы здесь код из SMS или приложения.", "The bank of the card would ask here for a code of an SMS or an app.";
    CONFIRM: "Confirm", "Подтвердить", "Confirm";
    REFUSE: "Refuz", "Отказаться", "Refuse";
    SUCCEEDED: "Plata a reușit", "Платёж прошёл", "The payment succeeded";
    CARD_SAVED: "Cardul a fost salvat", "Карта сохранена", "The card was saved";
    PROOF: "Pe extrasul cardului ar apărea suma", "В выписке по карте была бы сумма", "The statement of the card would show the amount";
    RETURNING: "În 3 secunde te întorci la comerciant.", "Через 3 секунды вы вернётесь к продавцу.", "In 3 seconds you go back to the merchant.";

    CABINET_HINT: "Ce vede comerciantul la bancă. La o bancă adevărată cere utilizator, parolă și încă o parolă pentru restituiri.", "Что видит продавец у банка. У настоящего банка нужны логин, пароль и ещё один пароль для возвратов.", "What the merchant sees at the bank. A real one asks for a login, a password, and one more password for refunds.";
    CABINET_EMPTY: "Încă nicio plată.", "Платежей пока нет.", "No payment yet.";
    STATE: "Starea", "Состояние", "State";
    ASKED: "Cerut", "Запрошено", "Asked for";
    HELD: "Blocat", "Удержано", "Held";
    TAKEN: "Încasat", "Списано", "Taken";
    GIVEN_BACK: "Restituit", "Возвращено", "Given back";
    REMAINS: "Rămâne", "Остаётся", "Remains";
    CARD: "Card", "Карта", "Card";
    REFERENCE: "RRN", "RRN", "RRN";
    TRIES: "Încercări", "Попытки", "Tries";
    AMOUNT: "Suma", "Сумма", "Amount";
    CHARGE: "Încasează", "Списать", "Charge";
    CANCEL: "Deblochează", "Разблокировать", "Release";
    REFUND: "Restituie", "Вернуть", "Refund";
    CHARGE_BACK: "Contestă (chargeback)", "Оспорить (chargeback)", "Dispute (chargeback)";
    LAPSE: "Blocarea expiră", "Удержание истекает", "The hold lapses";
    NOT_DONE: "Nu s-a făcut", "Не сделано", "Not done";
    NO_AMOUNT: "Suma nu este un număr ca 125.50.", "Сумма должна быть числом, например 125.50.", "The amount is no number such as 125.50.";

    JOURNAL_HINT: "Ce s-a spus, cel mai nou întâi; ultimele 500 se păstrează până la oprire. Parolele nu apar.", "Что было сказано, сначала новое; последние 500 хранятся до остановки. Паролей здесь нет.", "What was said, the latest first; the last 500 are kept until the stop. Passwords are not in it.";
    JOURNAL_EMPTY: "Încă nimic.", "Пока пусто.", "Nothing yet.";
    DOWNLOAD: "Descarcă (JSON)", "Скачать (JSON)", "Download (JSON)";
    COMPLAINT: "Greșit în cerere", "Ошибка в запросе", "Wrong in the request";
    NOT_FOUND: "Nu există", "Не найдено", "Not found";
    NOT_FOUND_HINT: "Pagina nu există, sau ține de o rulare anterioară.", "Такой страницы нет, или она от прошлого запуска.", "There is no such page, or it belongs to an earlier run.";
    START: "Început", "Начало", "Start";

    PAYS: "plătește", "платит", "pays";
    ASKS_3DS: "plătește după 3-D Secure", "платит после 3-D Secure", "pays after 3-D Secure";
    FAILS_3DS: "cade la 3-D Secure", "не проходит 3-D Secure", "fails at 3-D Secure";
    ABOVE: "peste", "выше", "above";
    SECONDS: "s", "с", "s";
    AT: "la", "при", "at";
    AT_PAY: "la plată", "при оплате", "at paying";

    NOTIFICATION_LOST: "Notificarea nu vine", "Уведомление не приходит", "The notification does not come";
    NOTIFICATION_TWICE: "Notificarea vine de două ori", "Уведомление приходит дважды", "The notification comes twice";
    NOTIFICATION_LATE: "Notificarea vine după un minut", "Уведомление приходит через минуту", "The notification comes a minute late";
    NOTIFICATION_OUT_OF_ORDER: "Notificarea vine după următoarea", "Уведомление приходит после следующего", "The notification comes after the next one";
    NOTIFICATION_FORGED: "Un străin anunță plata înainte", "Чужой сообщает об оплате заранее", "A stranger announces the payment before";
    DONE_ANSWER_LOST: "Făcut, răspunsul se pierde", "Сделано, ответ потерян", "Done, and the answer is lost";
    NOT_DONE_ANSWER_LOST: "Nefăcut, fără răspuns", "Не сделано, ответа нет", "Not done, and no answer";
    SERVER_ERROR: "Făcut, răspuns 500", "Сделано, ответ 500", "Done, answered with 500";
    NO_XML: "Făcut, răspuns în HTML", "Сделано, ответ в HTML", "Done, answered in HTML";
    DRESSED: "Atribute noi, în altă ordine, litere mici", "Новые атрибуты, другой порядок, строчные", "New attributes, another order, lower case";
    STATUS: "Starea se numește Status", "Состояние называется Status", "The state is called Status";
    CODE_NONE: "Făcut, răspuns cu NONE", "Сделано, ответ NONE", "Done, answered with NONE";
    PENDING: "Starea rămâne Pending", "Состояние остаётся Pending", "The state stays Pending";
    OTHER_ORDER: "Răspuns despre alt OrderId", "Ответ о другом OrderId", "An answer about another OrderId";
    SESSION_ENDS: "Sesiunea se încheie", "Сессия завершается", "The session ends";
    FAILED_THEN_PAID: "Întâi eșuează, apoi plătește", "Сначала отказ, потом оплата", "Fails first, then pays";
    REFUNDED_IN_PART: "Jumătate se restituie îndată", "Половина сразу возвращается", "Half is given back at once";
}

/// The title of a mischief.
pub fn title(mischief: Mischief) -> Text {
    match mischief {
        Mischief::NotificationLost => NOTIFICATION_LOST,
        Mischief::NotificationTwice => NOTIFICATION_TWICE,
        Mischief::NotificationLate => NOTIFICATION_LATE,
        Mischief::NotificationOutOfOrder => NOTIFICATION_OUT_OF_ORDER,
        Mischief::NotificationForged => NOTIFICATION_FORGED,
        Mischief::DoneAnswerLost => DONE_ANSWER_LOST,
        Mischief::NotDoneAnswerLost => NOT_DONE_ANSWER_LOST,
        Mischief::ServerError => SERVER_ERROR,
        Mischief::NoXml => NO_XML,
        Mischief::Dressed => DRESSED,
        Mischief::Status => STATUS,
        Mischief::CodeNone => CODE_NONE,
        Mischief::Pending => PENDING,
        Mischief::OtherOrder => OTHER_ORDER,
        Mischief::SessionOver => SESSION_ENDS,
        Mischief::FailedThenPaid => FAILED_THEN_PAID,
        Mischief::RefundedInPart => REFUNDED_IN_PART,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_text_is_written_in_its_language() {
        for text in super::ALL {
            assert_eq!(text.mistake(), None);
        }
    }
}
