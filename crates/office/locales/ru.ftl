## Every page
languages = Язык страницы
not-production-label = Тестовая среда
not-production = Тестовая среда: настоящих денег здесь не платят.
unavailable-title = Скоро вернёмся
unavailable-text = Сейчас страницу показать не удалось. Обновите её через минуту.

## The payer's order
no-order-title = Заказ не найден
no-order-text = Ссылка неполная или больше не действует. Откройте её ещё раз из полученного сообщения или обратитесь в учреждение.
link-ended-title = Ссылка больше не действует
link-ended-text = Попросите у учреждения новую ссылку.
order = Заказ
order-number = Номер заказа
payer = Плательщик
issued = Выставлен
due-date = Срок оплаты
payments = Платежи
payment-number = Платёж №
latest-payments = { $count ->
    [one] Всего { $count } платёж; здесь последние.
    [few] Всего { $count } платежа; здесь последние.
   *[other] Всего { $count } платежей; здесь последние.
}
to-receipt = Выписка о платежах для печати
to-notice = Счёт для печати
to-order = Назад к заказу

status-early = Оплата ещё не открыта
status-active = К оплате
status-partially-paid = Оплачен частично
status-paid = Оплачен
status-expired = Срок истёк
status-completed = Завершён
status-cancelled = Отменён
status-refunding = Возвращается
status-refunded = Возвращён

amount-due = К оплате
amount-open = Сумму выберете при оплате
amount-paid = Оплачено
amounts-by-day = Сумма зависит от дня
until-day = до { $day }
from-day = с { $day }
more-per-day = и ещё { $amount } за каждый день

pay = Оплатить через MPay
pay-rest = Оплатить остаток
pay-again = Оплатить ещё раз
any-amount = Можно оплатить часть суммы или больше.
a-part = Можно оплатить и часть суммы.
more = Можно оплатить и больше.
number-hint = На MPay, в терминалах и кассах введите номер заказа.
opens-on = Оплатить можно с { $day }.
is-paid = Больше ничего платить не нужно. Спасибо.
is-expired = Срок оплаты прошёл, и MPay больше не примет платёж. Обратитесь в учреждение.
is-completed = Заказ завершён. Больше ничего платить не нужно.
is-cancelled = Заказ отменён. Не оплачивайте его.
is-refunding = Деньги возвращаются.
is-refunded = Деньги возвращены.

## The return from MPay
waiting-title = Ждём подтверждения платежа
waiting-text = Подтверждение от MPay может занять несколько минут. Страница обновляется сама.
waiting-hint = Эту страницу можно закрыть: платёж всё равно будет записан.
look-again = Проверить сейчас
confirmed-title = Платёж записан
still-due = Осталось оплатить { $amount }.
not-confirmed-title = Платёж не подтверждён
not-confirmed-text = Если вы прервали оплату, ничего не произошло. Если вы заплатили, подтверждение может прийти позже.
not-confirmed-pay-again = Платите ещё раз, только если деньги не списаны.

## To print
notice = Счёт
receipt = Выписка о платежах
scan = Отсканируйте телефоном и оплатите
or-type = Или введите на { $mpay }, в терминале либо в кассе номер заказа (услуга { $service }):
print-hint = Напечатайте страницу через меню браузера (Ctrl+P).
receipt-hint = Платежи, записанные в учреждении на { $time }. Фискальный документ выдаёт MPay.

## The office
menu = Меню
menu-today = Сегодня
menu-orders = Заказы
sign-in = Вход
sign-out = Выйти
token = Личный код доступа
token-hint = Код (токен) выдаёт тот, кто ведёт систему. Сеанс заканчивается после 30 минут бездействия.
token-unknown = Код неверный. Проверьте, что скопировали его целиком.
token-of-program = Это код программы; у людей коды свои.
form-refused-title = Форма не принята
form-refused-text = Форма пришла с другой страницы, или сеанс уже закончился. Откройте страницу снова и повторите.
go-on = Продолжить
go-back = Назад
no-page-title = Такой страницы нет
no-page-text = Проверьте адрес или выберите в меню.
not-allowed = Ваша роль этого не позволяет
not-found = Не найдено
changed-meanwhile = Тем временем это изменил кто-то другой
not-done = Не сделано
done = Сделано.
today = Сегодня, { $day }
came-in = Записанные платежи
nothing-came-in = Сегодня пока ничего.
account = Счёт
amount = Сумма
totals-incomplete = Платежей больше, чем помещается; сумма только первых из них.
needs-somebody = Требует внимания
nothing-needs-somebody = Ничего.
latest-orders = Последние заказы
no-orders = Заказов нет.
none-so-far = Пока ничего не найдено; ищите дальше.
no-such-order = Заказа с таким номером нет.
new-order = Новый заказ
further = Дальше
for-what = За что
status = Состояние
status-unknown = Неизвестное состояние
to-look-at = проверить
only-to-look-at = Только требующие проверки
any = Любое
payer-code = IDNP/IDNO
due-from = Срок с
due-to = Срок до
find = Найти
service = Услуга
total = Всего
amount-overpaid = Переплачено
refund-reference = Документ возврата
lines = Позиции
no-payments = Платежей нет.
voided = Аннулирован
only-latest-payments = Здесь только последние платежи.
for-payer = Для плательщика
pay-link = Страница оплаты
actions = Действия
do-cancel = Отменить заказ
do-complete = Завершить заказ
do-reopen = Открыть заказ снова
do-refund = Начать возврат
do-refunded = Деньги возвращены
order-number-optional = Номер заказа (пусто: номер будет дан)
register = Зарегистрировать
