//! Every bound of the product in one place, each with its reason.
//!
//! Units come last in the names: `_s` seconds, `_ms` milliseconds, `_bytes` bytes.

use std::ops::RangeInclusive;

// What one request may hold.

/// Largest request body. An order of [`LINES_PER_ORDER`] lines with notes fits; a till never sends more.
pub const BODY_BYTES: usize = 256 * 1024;
/// How much of a body that is too large is read and thrown away, so that the terminal gets to read why.
pub const BODY_DISCARD_BYTES: usize = 16 * 1024 * 1024;
/// Lines of one order. The largest catering orders seen have about 200.
pub const LINES_PER_ORDER: usize = 500;
/// Modifiers of one line: a pizza with everything has about 20.
pub const MODIFIERS_PER_LINE: usize = 50;
/// Payments applied to one order: a table of twenty, each splitting once.
pub const TENDERS_PER_ORDER: usize = 50;
/// Changes of one order. It is read by replaying them, so this bounds the time of every later change.
pub const VERSIONS_PER_ORDER: u32 = 1_000;
/// A quantity on a line, in thousandths: 100 000 pieces.
pub const QUANTITY_MAX_THOUSANDTHS: i64 = 100_000_000;
/// A single price, in minor units: a million million, far above any sale in any currency.
pub const PRICE_MAX_MINOR: i64 = 1_000_000_000_000;
/// Changes of one ticket: made, started, ready, served, a few lines taken off, and a recall for every mood of a guest.
pub const VERSIONS_PER_TICKET: u32 = 100;
/// Length of an idempotency key, as the IETF draft's implementations allow.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;

// Payments.

/// A processor's token: S0's column has 500 characters.
pub const CARD_TOKEN_CHARS: usize = 500;
/// What a reader encrypted about a card: readers send one to two kilobytes.
pub const CARD_BLOB_CHARS: usize = 4_096;
/// A tip or a limit beyond this is a slip of the finger; below [`PRICE_MAX_MINOR`], so that sums of them fit.
pub const TIP_MAX_MINOR: i64 = 1_000_000_000;
/// Smallest coin, in minor units: 1 000 is what the coarsest cash in use takes (IDR).
pub const CASH_ROUNDING_MAX_MINOR: i64 = 10_000;
/// Balances of gift cards and loyalty accounts in one request; they fit in [`BODY_BYTES`].
pub const ACCOUNTS_PER_REQUEST: usize = 1_000;
/// Card payments in one answer.
pub const PAYMENTS_PER_ANSWER: usize = 500;
/// Card payments in one answer when nobody says how many.
pub const PAYMENTS_PER_ANSWER_DEFAULT: usize = 100;
/// How long the box is kept from the cloud when nobody says how long: a drill, not a habit.
pub const FORCED_OFFLINE_MIN_DEFAULT: u64 = 60;
/// Longest the box is kept from the cloud by hand: a day of sales is as much as anybody wants to catch up with.
pub const FORCED_OFFLINE_MIN: u64 = 24 * 60;
/// Business days for which it is remembered what a card was charged; only the current one is looked at, and a clock
/// that is set back finds the day before.
pub const CARD_DAYS_KEPT: u32 = 3;

// What a terminal is told to hold itself to (L14).

/// Requests a terminal may hold back while it cannot reach the box.
pub const TERMINAL_BACKLOG: u32 = 100;
/// Held-back requests a terminal may replay at once.
pub const TERMINAL_REPLAYS: u32 = 5;

// Terminals.

/// Paired devices. A large store has about 60; the table is held in memory.
pub const DEVICES: usize = 500;
/// Requests per second one device may keep up. A person taps at most a few times a second.
pub const DEVICE_RATE_PER_S: u32 = 50;
/// Requests one device may send at once after a pause: a full backlog and its follow-ups.
pub const DEVICE_BURST: u32 = 200;
/// What the owner may set the rate to: none would shut every terminal out.
pub const DEVICE_RATES_PER_S: RangeInclusive<u32> = 1..=1_000_000;
/// What the owner may set the burst to.
pub const DEVICE_BURSTS: RangeInclusive<u32> = 1..=1_000_000;
/// Wrong pairing attempts of one address before it has to wait.
pub const PAIRING_BURST: u32 = 5;
/// Then one attempt in so many seconds: 130 bits stay out of reach for ever.
pub const PAIRING_EVERY_S: u32 = 12;
/// Addresses whose wrong attempts are remembered; the longest quiet one is forgotten first.
pub const THROTTLED_ADDRESSES: usize = 1_024;
/// How long the nonce of a ping may be used for pairing.
pub const NONCE_LIFE_S: u64 = 120;
/// Used nonces remembered until they expire. Beyond this, pairing waits.
pub const NONCES_USED: usize = 1_024;
/// How often a terminal shows that it is alive (POST /api/local/ping), in seconds.
pub const HEARTBEAT_S: u32 = 5;
/// A device that was silent for so long has a weak link: two dozen heartbeats were missed.
pub const DEVICE_WEAK_S: u64 = 120;
/// A device that was silent for so long is offline: nobody restarts a till for longer.
pub const DEVICE_OFFLINE_S: u64 = 300;
/// How often the box looks for devices that fell silent or came back: as often as they show themselves.
pub const DEVICE_LOOK_S: u64 = 5;

// The network and the cloud.

/// Name servers of a static address: the resolver of the C library asks no more than three.
pub const NAME_SERVERS: usize = 3;
/// The installer's file: what a person writes in an editor, many times over.
pub const SITE_FILE_BYTES: usize = 64 * 1024;
/// Pins of the cloud's key in the installer's file: the one in use and the next, of a few front ends.
pub const CLOUD_PINS: usize = 8;
/// A claim's token: what a person may have to type from a letter, or a signed token of the cloud's own.
pub const CLAIM_TOKEN_CHARS: RangeInclusive<usize> = 8..=512;
/// An address on the web.
pub const URL_CHARS: usize = 2_000;
/// The longest answer of the cloud to a box that enrols: a few certificates, a configuration.
pub const CLOUD_ANSWER_BYTES: usize = 1024 * 1024;
/// How long a name may take to be found, and a connection to be made.
pub const CLOUD_CONNECT_S: u64 = 10;
/// How long a request to the cloud may take with everything: a bad link is slow, a dead one must not hold up the next try.
pub const CLOUD_REQUEST_S: u64 = 30;
/// How often a box shows that it is alive, in seconds, whatever the cloud asks for.
pub const HEARTBEATS_S: RangeInclusive<u64> = 5..=3_600;
/// How often a box looks whether somebody brought it an installer's file, or a cable.
pub const SITE_LOOK_S: u64 = 2;
/// How long a static address may reach nobody before the box takes what the network gives: longer than a switch needs to
/// open a port (50 s with spanning trees), and with both changes within the three minutes a wrong address may last.
pub const ADDRESS_TRIAL_S: u64 = 90;
/// How long the network may give no address either before the static one is tried again.
pub const ADDRESS_AGAIN_S: u64 = 180;
/// Certificates of one answer: a chain has three, authorities that take turns a few more.
pub const CERTIFICATES: usize = 16;
/// A step of enrolment that failed is tried again after so long, then after twice as long, and so on.
pub const ENROLMENT_RETRY_FIRST_S: u64 = 1;
/// At most so long: an installer who has plugged in the right cable waits no longer.
pub const ENROLMENT_RETRY_MOST_S: u64 = 300;
/// The cloud's `Retry-After` is believed up to an hour: what is wrong with it must not silence a box for a year.
pub const RETRY_AFTER_MOST_S: u64 = 3_600;
/// A claim that was refused is tried again so often: somebody may have mended it in the cloud.
pub const CLAIM_RETRY_S: u64 = 300;
/// A box that was taken out of service asks so often whether it still is.
pub const REVOKED_RETRY_S: u64 = 24 * 3_600;
/// A registered box says so often what has become of it, and asks for the authorities there are now.
pub const REGISTRATION_EVERY_S: u64 = 24 * 3_600;
/// Time servers of the installer's file: four are enough to outvote one that is wrong (RFC 8633, section 3.2).
pub const TIME_SERVERS: usize = 4;

// The kitchen.

/// Tickets in the queues of all stations: many times what a kitchen works on at once. Beyond it the oldest of a station
/// leave its queue, or a shop whose kitchen never marks anything would list every ticket it ever had.
pub const OPEN_TICKETS: u64 = 1_000;
/// Tickets in one answer, and when the display does not say: a display that knows no pages sees its whole queue.
pub const TICKETS_PER_ANSWER: usize = 500;
/// The longest time the kitchen's statistics tell apart: beyond four hours nobody waits for a dish.
pub const KITCHEN_TIME_MAX_S: u32 = 4 * 3_600;

// Connections.

/// Connections at once: 60 terminals with a handful each, and room for a reconnect storm.
pub const CONNECTIONS: usize = 512;
/// TLS handshake, from the first byte: slow radios need two seconds at most.
pub const HANDSHAKE_S: u64 = 10;
/// Request line and headers, and the idle time of a kept connection.
pub const HEADERS_S: u64 = 60;
/// Request body.
pub const BODY_S: u64 = 15;
/// A client that takes no byte of an answer for so long is dropped.
pub const WRITE_STALL_S: u64 = 20;
/// How long a connection the box ends may take to notice, so that its last answer is read.
pub const LINGER_S: u64 = 2;
/// HTTP/2 streams of one connection: a browser opens about a hundred.
pub const STREAMS_PER_CONNECTION: u32 = 64;
/// How long a graceful stop waits for requests that are under way.
pub const DRAIN_S: u64 = 10;

// The write path.

/// Commands waiting for the committer. At 30 000 a second this is a seventh of a second.
pub const COMMIT_QUEUE: usize = 4_096;
/// Commands of one transaction: enough that a sync is shared widely, few enough that a batch stays short.
pub const BATCH_COMMANDS: usize = 512;
/// Longest the committer waits for commands that are on their way, in microseconds: what sixty tills that were just
/// answered need to come back, and a fifth of what two syncs of a memory card take.
pub const BATCH_WAIT_US: u64 = 2_000;
/// Longest a request waits for its commit before it is told to come back (its key still protects it).
pub const COMMIT_WAIT_S: u64 = 20;
/// What a busy or full box asks a client to wait, in seconds.
pub const RETRY_AFTER_S: u32 = 2;
/// Pages the store keeps in memory. Small, so that a Pi with 1 GB has room for everything else.
pub const STORE_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Free space below which nothing is written: enough for journal, updates and a clean recovery.
pub const DISK_RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// A file kept to be deleted when the disk is full all the same, so that the store can always be opened again.
pub const BALLAST_BYTES: u64 = 4 * 1024 * 1024;

// Events and lists.

/// Events kept for readers that were away: a busy day of a large store.
pub const EVENTS_KEPT: u64 = 50_000;
/// Events removed in one transaction, so that no sale waits for tidying up.
pub const EVENTS_PRUNED_AT_ONCE: u64 = 256;
/// Events in one answer.
pub const EVENTS_PER_ANSWER: usize = 500;
/// Longest wait of a poll: below the 60 s at which proxies and radios cut idle connections.
pub const POLL_WAIT_S: u64 = 30;
/// A comment is sent on a quiet event stream so often, so that both sides notice a dead connection.
pub const STREAM_PING_S: u64 = 15;
/// Event streams at once.
pub const STREAMS: usize = 500;
/// Orders in one answer.
pub const ORDERS_PER_ANSWER: usize = 500;
/// Orders in one answer when the terminal does not say.
pub const ORDERS_PER_ANSWER_DEFAULT: usize = 100;
/// Rows looked at for one answer that filters: beyond it the answer ends early with a cursor to go on from.
pub const ROWS_PER_ANSWER: usize = 5_000;
/// Refused writes kept for a manager; the oldest go first.
pub const REFUSED_WRITES: u64 = 10_000;
/// How much of a refused request is kept.
pub const REFUSED_BODY_BYTES: usize = 8 * 1024;
/// A licence notice or bill of materials that is shown: the bill of an image has 200 KB.
pub const NOTICE_BYTES: u64 = 4 * 1024 * 1024;
/// Unreadable rows set aside; beyond this they are only counted.
pub const QUARANTINED_ROWS: u64 = 1_000;

// The catalogue.

/// Body of a request that loads a catalogue: [`CATALOGUE_ITEMS`] with everything about them take about 8 MB of JSON.
pub const CATALOGUE_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Items of a catalogue, which is held in memory: a supermarket's shelf; 10 MB at most.
pub const CATALOGUE_ITEMS: usize = 20_000;
/// Categories: more than anybody can find their way in.
pub const CATALOGUE_CATEGORIES: usize = 2_000;
/// Groups of modifiers: a large kitchen has about 200.
pub const CATALOGUE_MODIFIER_GROUPS: usize = 2_000;
/// Promotions. Every line that is sold looks at all of them.
pub const CATALOGUE_PROMOTIONS: usize = 500;
/// Tax rules: a country has about five.
pub const CATALOGUE_TAX_RULES: usize = 100;
/// Stations of the kitchen: a hotel has about twenty.
pub const CATALOGUE_STATIONS: usize = 100;
/// Deletions that terminals can still learn of; whoever was away for longer fetches everything.
pub const CATALOGUE_TOMBSTONES: usize = 20_000;
/// Barcodes of one item: its pieces, its boxes, and those of former packagings.
pub const BARCODES_PER_ITEM: usize = 20;
/// Prices of one item that hold for a while: a year of weekly offers.
pub const PRICES_PER_ITEM: usize = 60;
/// Groups of modifiers of one item.
pub const MODIFIER_GROUPS_PER_ITEM: usize = 20;
/// Modifiers of one group: a bar's list of spirits.
pub const MODIFIERS_PER_GROUP: usize = 200;
/// Items or categories one promotion names; beyond it, it is meant for a category.
pub const TARGETS_PER_PROMOTION: usize = 1_000;
/// Windows of the day of one promotion.
pub const HOURS_PER_PROMOTION: usize = 10;
/// A station's patience, in seconds: whatever takes longer than a day is no ticket of a kitchen.
pub const STATION_PATIENCE_S: u32 = 86_400;
/// Objects of the catalogue in one answer, when the terminal asks for pieces.
pub const MENU_PER_ANSWER: usize = 5_000;
/// Bytes of one piece of a catalogue on its way out.
pub const MENU_PIECE_BYTES: usize = 64 * 1024;
/// Items found by one search.
pub const ITEMS_PER_ANSWER: usize = 500;
/// Items found by one search when the terminal does not say.
pub const ITEMS_PER_ANSWER_DEFAULT: usize = 100;

// Supervision.

/// What the service manager allows between two signs of life.
pub const WATCHDOG_S: u64 = 45;
/// How long a critical task may stay silent.
pub const CHECK_IN_S: u64 = 15;
/// How often the disk is asked to sync a small file.
pub const PROBE_EVERY_S: u64 = 10;
/// A probe slower than this means the disk hangs; a slow disk is an alert before it is a restart.
pub const PROBE_S: u64 = 30;
/// The daemon tells the screen how the box is at least so often.
pub const STATUS_EVERY_S: u64 = 10;
/// After so long without a word the screen says that the daemon does not answer: two words in a row were missed.
pub const STATUS_SILENT_S: u64 = 30;
/// How long the screen waits for the first word: a start that takes longer is no start.
pub const STATUS_FIRST_S: u64 = 60;

// Reports and stock.

/// Business days of one report, above a year with its days off: by anything but items.
pub const REPORT_DAYS: u32 = 400;
/// Business days of one report by item. A retail shop sells thousands of items a day, each with a total of its own.
pub const REPORT_ITEM_DAYS: u32 = 31;
/// Rows of one report; the smallest beyond it are shown as one.
pub const REPORT_ROWS: usize = 5_000;
/// Ends of days in one answer.
pub const DAY_CLOSES_PER_ANSWER: usize = 400;
/// Items, or movements of one, in one answer.
pub const STOCK_PER_ANSWER: usize = 500;
/// The same when the terminal does not say.
pub const STOCK_PER_ANSWER_DEFAULT: usize = 100;
/// Movements of one item that are listed. The movements themselves are kept longer; what there is does not depend on it.
pub const STOCK_MOVEMENTS_LISTED: u64 = 1_000;

// Cleaning up.

/// Days that orders are kept after they ended: a year and the time it takes to look back at it.
pub const ORDERS_KEPT_DAYS: u32 = 400;
/// The least, which only the size of the store brings about: what guests still come back with.
pub const ORDERS_KEPT_DAYS_LEAST: u32 = 7;
/// Days that anything can be kept: a hundred years.
pub const DAYS_KEPT_MOST: u32 = 36_500;
/// Gigabytes of the store above which orders are kept for the least time only. Half the disk counts if that is less.
pub const STORE_MAX_GB: u64 = 50;
/// Days that customers are kept who were not seen.
pub const CUSTOMERS_KEPT_DAYS: u32 = 30;
/// How often the box looks for what may go.
pub const CLEAN_UP_EVERY_S: u64 = 30;
/// Orders removed since the file was last made smaller that make it worth while: some ten megabytes.
pub const ORDERS_WORTH_GIVING_BACK: u64 = 10_000;
/// Nobody wrote for so long: the shop is closed.
pub const QUIET_S: u64 = 600;
/// Hours before and after the beginning of a business day that are taken for closing time.
pub const CLOSING_HOURS: u8 = 2;
/// Rows copied before somebody looks again whether a sale waits: a millisecond's work.
pub const ROWS_COPIED_AT_ONCE: u64 = 256;
/// Orders removed in one transaction, so that no sale waits for tidying up: 700 000 a day all the same.
pub const ORDERS_REMOVED_AT_ONCE: usize = 128;
/// Ended orders looked at in one transaction.
pub const ENDED_LOOKED_AT: usize = 1_024;
/// Idempotency keys looked at in one transaction.
pub const KEYS_LOOKED_AT: usize = 512;
/// References of the outbox looked at: what waits longer than everything else is little, or nothing was sent at all.
pub const WAITING_LOOKED_AT: usize = 1_024;
/// Transactions for one request to clear the cache; the rest goes by itself.
pub const CLEAR_TRANSACTIONS: usize = 16;
/// Rows of one kind that are counted for the status of the cache.
pub const CACHE_ROWS_COUNTED: usize = 10_000;
/// Rows of one kind that are shown.
pub const CACHE_PER_ANSWER: usize = 200;
/// The same when the terminal does not say.
pub const CACHE_PER_ANSWER_DEFAULT: usize = 50;

// People.

/// People who work in one store, past ones included: the largest stores have about 200 at a time.
pub const EMPLOYEES: usize = 2_000;
/// Digits of a PIN: what a person types at a till a hundred times a day.
pub const PIN_DIGITS_MIN: usize = 4;
/// Digits of a PIN, at most: more are written on the till.
pub const PIN_DIGITS_MAX: usize = 8;
/// Memory of one PIN's hash, in KiB (Argon2id): the least that OWASP advises, and what a Pi with 1 GB can spare.
pub const PIN_HASH_MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory: about a tenth of a second on a Pi 4.
pub const PIN_HASH_PASSES: u32 = 2;
/// Lanes of one hash: it runs on one core, the others sell.
pub const PIN_HASH_LANES: u32 = 1;
/// PINs hashed at once, so that a rush to sign in takes neither the memory nor the cores of the tills.
pub const PIN_HASHES_AT_ONCE: usize = 1;
/// How long somebody who signs in waits for their turn.
pub const PIN_TURN_S: u64 = 10;
/// Wrong PINs of one person before they have to wait.
pub const WRONG_PINS: u32 = 5;
/// The first wait after that; every further wrong PIN doubles it.
pub const LOCK_OUT_FIRST_S: u64 = 30;
/// The longest wait: a manager who was locked out by somebody else can still finish the day.
pub const LOCK_OUT_MAX_S: u64 = 15 * 60;
/// Wrong PINs of one terminal, whoever they are for, before it has to wait.
pub const WRONG_PINS_OF_DEVICE: u32 = 20;
/// Then one in so many seconds: ten thousand PINs take more than three days.
pub const WRONG_PIN_EVERY_S: u64 = 30;
/// Names that had wrong PINs and are remembered; the one that waits least is forgotten first.
pub const LOCK_OUTS: usize = 1_024;
/// Longest a person stays signed in: a long shift.
pub const SESSION_S: u64 = 12 * 60 * 60;
/// How long a signed-in terminal may be left alone.
pub const SESSION_IDLE_S: u64 = 30 * 60;
/// People signed in at once; the one idle longest is signed out first.
pub const SESSIONS: usize = 1_000;

/// Largest number of an audit entry that can be asked for: what JavaScript counts exactly.
pub const AUDIT_NUMBER_MAX: u64 = (1 << 53) - 1;
/// Audit entries in one answer.
pub const AUDIT_PER_ANSWER: usize = 1_000;
/// Audit entries in one answer when the terminal does not say.
pub const AUDIT_PER_ANSWER_DEFAULT: usize = 100;
/// Audit entries that are verified in one view of the store: some ten milliseconds on a Pi.
pub const AUDIT_PER_VIEW: usize = 2_000;

/// How far a terminal's clock may be ahead of the box's when somebody clocks in.
pub const CLOCK_SKEW_S: u64 = 5 * 60;
/// Shifts before and after a clock event that are looked at: only one with a hundred others in it goes unnoticed.
pub const SHIFTS_SEEN: usize = 50;
/// Shifts without an end that are looked at: beyond it somebody has never clocked out for months.
pub const OPEN_SHIFTS_SEEN: usize = 50;
/// Shifts in one answer.
pub const SHIFTS_PER_ANSWER: usize = 500;
/// Shifts in one answer when the terminal does not say.
pub const SHIFTS_PER_ANSWER_DEFAULT: usize = 100;

/// Words a customer is found by: those of the longest name, the number, the address and the account.
pub const CUSTOMER_WORDS: usize = 67;
/// Characters of such a word that are kept: nobody types more to find somebody.
pub const CUSTOMER_WORD_CHARS: usize = 64;
/// Customers in one answer.
pub const CUSTOMERS_PER_ANSWER: usize = 500;
/// Customers in one answer when the terminal does not say: what a screen shows.
pub const CUSTOMERS_PER_ANSWER_DEFAULT: usize = 50;

const _: () = assert!(PIN_DIGITS_MIN <= PIN_DIGITS_MAX, "there must be PINs");
const _: () = assert!(SESSION_IDLE_S <= SESSION_S, "idle time is part of the session");
const _: () = assert!(LOCK_OUT_FIRST_S <= LOCK_OUT_MAX_S, "waits grow");
const _: () = assert!(BATCH_COMMANDS <= COMMIT_QUEUE, "a batch must fit in the queue");
const _: () = assert!(EVENTS_PRUNED_AT_ONCE < EVENTS_KEPT, "pruning must leave events to read");
const _: () = assert!(CHECK_IN_S < WATCHDOG_S && PROBE_S < WATCHDOG_S, "a hang must show before init acts");
const _: () = assert!(2 * STATUS_EVERY_S < STATUS_SILENT_S, "one late word is no silence");
const _: () = assert!(DEVICE_WEAK_S < DEVICE_OFFLINE_S, "a link is weak before it is gone");
const _: () = assert!((HEARTBEAT_S as u64) < DEVICE_WEAK_S, "one heartbeat may be missed");
const _: () = assert!(TERMINAL_BACKLOG <= DEVICE_BURST, "a till must be able to replay its whole backlog");
const _: () = assert!(ORDERS_KEPT_DAYS_LEAST <= ORDERS_KEPT_DAYS, "the default must be allowed");
