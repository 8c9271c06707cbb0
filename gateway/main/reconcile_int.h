/* reconcile_int.h - what the files of `railgate reconcile` share. */
#ifndef MAIN_RECONCILE_INT_H
#define MAIN_RECONCILE_INT_H

#include "base/json_out.h"
#include "main/cli.h"
#include "main/paint.h"
#include "reconcile/reconcile.h"

/* What was compared and the sums of each kind, to standard output, in lines of 80 columns. */
void reconcile_print_report(const struct paint *paint, struct view channel, struct view file,
                            const struct reconcile_report *report);
/* The same from the records; `out` lives as long as `arena`. false: the row has no summary. */
bool reconcile_read_report(const struct reconciliation_row *row, struct arena *arena,
                           struct reconcile_report *out);
/* When there is no difference. */
const char *reconcile_good_word(const struct reconcile_report *report);
/* What a person does when a difference is explained. */
void reconcile_print_how(void);
/* A difference for people, with what to do next, or as a JSON object. */
void difference_print(FILE *to, const struct paint *paint, const struct difference_row *row);
/* The whole object, into cli_print. */
void difference_print_json(const struct difference_row *row);
/* And by which comparison it was found. */
void difference_print_found(FILE *to, const struct difference_row *row);
/* "12.50 EUR" for people; out has at least 48 bytes. */
const char *difference_money(int64_t minor, const char *currency, char out[48]);

/* railgate reconcile list|show|differences|resolve */
command_fn reconcile_command_list, reconcile_command_show, reconcile_command_differences,
    reconcile_command_resolve;

#endif
