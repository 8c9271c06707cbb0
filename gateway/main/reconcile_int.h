/* reconcile_int.h - what the files of `railgate reconcile` share. */
#ifndef MAIN_RECONCILE_INT_H
#define MAIN_RECONCILE_INT_H

#include "base/json_out.h"
#include "main/cli.h"
#include "main/paint.h"
#include "reconcile/reconcile.h"

/* A difference as a row of a table, or as a JSON object. `with_status`: open or resolved. */
void difference_head(FILE *to, const struct paint *paint);
void difference_print(FILE *to, const struct paint *paint, const struct difference_row *row);
/* The whole object, into cli_print. */
void difference_print_json(const struct difference_row *row);
/* "12.50 EUR" for people; out has at least 48 bytes. */
const char *difference_money(int64_t minor, const char *currency, char out[48]);

/* railgate reconcile list|show|differences|resolve */
command_fn reconcile_command_list, reconcile_command_show, reconcile_command_differences,
    reconcile_command_resolve;

#endif
