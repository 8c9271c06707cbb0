/* letters_int.h - from a name as written to the letters that are compared. See letters.c. */
#ifndef SCREENING_LETTERS_INT_H
#define SCREENING_LETTERS_INT_H

#include "screening/screening.h"

#define LETTERS_MAX 2048 /* letters of a normalised name */

/* Holds the transliterator (which must not be used by two threads at once) and room to work in. */
struct letters;

/* NO_MEMORY. Opening the transliterator takes some milliseconds; where there is none it is left
 * out. */
enum status letters_open(struct letters **out);
void letters_close(struct letters *l);
/* Loads what the transliterator would load at the first name of a script: tens of milliseconds that
 * a lookup on the loop must not pay. */
void letters_warm(struct letters *l);
/* Normalises at most SCREENING_NAME_MAX bytes. The result lives in `l` until the next call and may
 * be changed by the caller. */
uint16_t *letters_normalise(struct letters *l, struct view name, size_t *len);
/* Windows-1252 to UTF-8, for lines that are not UTF-8. */
void letters_from_1252(struct view bytes, struct writer *out);

#endif
