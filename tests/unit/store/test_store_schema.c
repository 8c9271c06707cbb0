/* test_store_schema.c - databases of earlier versions: they open, are brought up to date in one
 * transaction, and keep what they hold.
 *
 * schema_1 is the script with which version 1 made its databases, word for word.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

static const char schema_1[] =
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), hash_key BLOB NOT NULL"
    " CHECK (length(hash_key) = 16), keys_indexed INTEGER NOT NULL,"
    " payments_indexed INTEGER NOT NULL, events_indexed INTEGER NOT NULL, doubts INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE payments (id INTEGER PRIMARY KEY CHECK (id > 0), merchant INTEGER NOT NULL,"
    " status INTEGER NOT NULL CHECK (status > 0), capture INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " rail INTEGER NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount >= 0),"
    " authorized INTEGER NOT NULL CHECK (authorized >= 0),"
    " capturing INTEGER NOT NULL CHECK (capturing >= 0),"
    " captured INTEGER NOT NULL CHECK (captured >= 0),"
    " releasing INTEGER NOT NULL CHECK (releasing >= 0),"
    " released INTEGER NOT NULL CHECK (released >= 0),"
    " refunding INTEGER NOT NULL CHECK (refunding >= 0),"
    " refunded INTEGER NOT NULL CHECK (refunded >= 0), created_us INTEGER NOT NULL,"
    " updated_us INTEGER NOT NULL, channel TEXT, reference TEXT, facts_json TEXT,"
    " outcome_json TEXT, refs BLOB) STRICT;"
    "CREATE TABLE operations (id INTEGER PRIMARY KEY CHECK (id > 0), payment INTEGER NOT NULL,"
    " merchant INTEGER NOT NULL, kind INTEGER NOT NULL, status INTEGER NOT NULL"
    " CHECK (status > 0), amount INTEGER NOT NULL CHECK (amount >= 0),"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, facts_json TEXT,"
    " outcome_json TEXT) STRICT;"
    "CREATE INDEX operations_of_payment ON operations (payment);"
    "CREATE TABLE attempts (id INTEGER PRIMARY KEY CHECK (id > 0), payment INTEGER NOT NULL,"
    " operation INTEGER NOT NULL, merchant INTEGER NOT NULL, verb INTEGER NOT NULL,"
    " state INTEGER NOT NULL CHECK (state > 0), parent INTEGER NOT NULL, amount INTEGER NOT NULL"
    " CHECK (amount >= 0), original INTEGER NOT NULL, currency TEXT NOT NULL, channel TEXT,"
    " trace INTEGER NOT NULL, time_us INTEGER NOT NULL, random BLOB NOT NULL"
    " CHECK (length(random) = 16), tries INTEGER NOT NULL, next_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, refs BLOB, outcome_json TEXT)"
    " STRICT;"
    "CREATE INDEX attempts_of_payment ON attempts (payment);"
    "CREATE INDEX attempts_open ON attempts (id)"
    " WHERE state = 1 OR state = 4 OR state = 8 OR state = 9;"
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY CHECK (seq > 0), time_us INTEGER NOT NULL,"
    " merchant INTEGER NOT NULL, payment INTEGER NOT NULL, kind TEXT NOT NULL, data_json TEXT)"
    " STRICT;"
    "CREATE INDEX journal_of_payment ON journal (payment);"
    "CREATE TABLE counters (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE api_keys (id INTEGER PRIMARY KEY CHECK (id > 0), merchant INTEGER NOT NULL,"
    " hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), live INTEGER NOT NULL,"
    " scopes INTEGER NOT NULL, rate_per_s INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " revoked_us INTEGER NOT NULL, name TEXT) STRICT;"
    "CREATE TABLE idem (seq INTEGER PRIMARY KEY, merchant INTEGER NOT NULL, key TEXT NOT NULL,"
    " mac BLOB NOT NULL CHECK (length(mac) = 32), payment INTEGER NOT NULL,"
    " operation INTEGER NOT NULL, created_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE answers (idem_seq INTEGER PRIMARY KEY, status INTEGER NOT NULL"
    " CHECK (status > 0), body BLOB) STRICT;"
    "CREATE TABLE idem_lookup (hash INTEGER, seq INTEGER, PRIMARY KEY (hash, seq))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE payments_of_merchant (merchant INTEGER, payment INTEGER,"
    " PRIMARY KEY (merchant, payment)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE payments_of_reference (hash INTEGER, payment INTEGER,"
    " PRIMARY KEY (hash, payment)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE journal_of_merchant (merchant INTEGER, seq INTEGER,"
    " PRIMARY KEY (merchant, seq)) STRICT, WITHOUT ROWID;";

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t one_number(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

/* In the place of the fixture's own: a database of version 1 with one payment and its journal. */
static void open_version_1(struct fixture *f)
{
    fixture_open(f, NULL, NULL);
    fixture_close_store(f);
    assert_int_equal(unlink(f->path), 0);
    run_sql(f->path, "PRAGMA journal_mode = WAL");
    run_sql(f->path, schema_1);
    run_sql(
        f->path,
        "INSERT INTO meta VALUES (1, x'000102030405060708090A0B0C0D0E0F', 0, 0, 0, 0);"
        "INSERT INTO payments VALUES (1000, 5, 1, 1, 1, 1, 'EUR', 700, 0, 0, 0, 0, 0, 0, 0, 1, 1,"
        " 'card_demo', 'order-1', '{}', NULL, x'0102');"
        "INSERT INTO journal VALUES (1, 1, 5, 1000, 'payment.created', '{}');"
        "PRAGMA application_id = 1919377780; PRAGMA user_version = 1;");
}

static enum status judge_spend(struct store_txn *txn, void *arg)
{
    (void)arg;
    txn->spends[0].write = true;
    txn->write_payment = STORE_UPDATE;
    return STATUS_OK;
}

static void version_1_is_brought_up_to_date(void **state)
{
    (void)state;
    struct fixture f;
    open_version_1(&f);
    fixture_reopen(&f);
    assert_int_equal(one_number(f.path, "PRAGMA user_version"), 6);
    assert_int_equal(store_last_id(f.store), 1000);
    assert_int_equal(journal_length(&f), 1);
    struct payment_row row;
    assert_true(payment_exists(&f, 1000, &row));
    assert_int_equal(row.amount, 700);
    assert_int_equal(row.refs.len, 2);
    assert_int_equal(row.spends.len, 0);
    /* The old payment can spend; a new one can be made; both after another start, too. */
    struct request r;
    request_init(&r, 5);
    r.txn.load_payment = 1000;
    r.txn.spends[0] = (struct store_spend){ .kind = STORE_SPEND_PERIOD, .amount = 700 };
    r.txn.spend_count = 1;
    r.txn.spend_now_us = START_WALL_US;
    r.txn.judge = judge_spend;
    assert_int_equal(request_run(&f, &r), STORE_COMMITTED);
    assert_true(r.txn.payment.spends.len > 0);
    request_fini(&r);
    pay(&f, 5, 2000, "k");
    fixture_close_store(&f);
    fixture_reopen(&f);
    assert_true(payment_exists(&f, 1000, &row));
    assert_true(row.spends.len > 0);
    assert_int_equal(row.reference.len, 7);
    assert_true(payment_exists(&f, 2000, NULL));
    fixture_close(&f);
}

static void reading_only_upgrades_nothing(void **state)
{
    (void)state;
    struct fixture f;
    open_version_1(&f);
    f.options.read_only = true;
    assert_int_equal(fixture_try_reopen(&f), STATUS_DENIED);
    assert_non_null(strstr(f.why, "older version"));
    assert_int_equal(one_number(f.path, "PRAGMA user_version"), 1);
    f.options.read_only = false;
    fixture_reopen(&f);
    fixture_close(&f);
}

/* The script breaks in its middle (somebody made a table of that name): nothing of it stays. */
static void an_upgrade_is_whole_or_not_at_all(void **state)
{
    (void)state;
    struct fixture f;
    open_version_1(&f);
    run_sql(f.path, "CREATE TABLE profiles (x)");
    assert_true(fixture_try_reopen(&f) != STATUS_OK);
    assert_true(f.why[0] != '\0');
    assert_int_equal(one_number(f.path, "PRAGMA user_version"), 1);
    assert_int_equal(
        one_number(f.path,
                   "SELECT count(*) FROM pragma_table_info('payments') WHERE name = 'spends'"),
        0);
    assert_int_equal(one_number(f.path, "SELECT count(*) FROM sqlite_schema WHERE name = 'held'"),
                     0);
    run_sql(f.path, "DROP TABLE profiles");
    fixture_reopen(&f);
    assert_true(payment_exists(&f, 1000, NULL));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_is_brought_up_to_date),
        cmocka_unit_test(reading_only_upgrades_nothing),
        cmocka_unit_test(an_upgrade_is_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
