/* symbols.h - reads what a shared object imports and exports, without loading it. */
#ifndef KIT_SYMBOLS_H
#define KIT_SYMBOLS_H

#include "base/bytes.h"

/* Called for each dynamic symbol. imported: it is needed from elsewhere; weak: and may be missing.
 */
typedef void symbols_fn(void *arg, const char *name, bool imported, bool weak);
/* MALFORMED when it is not a 64-bit little-endian ELF object or a table lies outside of the file.
 */
enum status symbols_read(const char *path, symbols_fn *each, void *arg);
/* May an adapter import this? Memory and string functions and the compiler's own helpers. */
bool symbols_allowed(const char *name);

#endif
