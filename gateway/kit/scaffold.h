/* scaffold.h - `railgate adapter new NAME --rail R --transport T`: a folder with an adapter that
 * builds, loads and passes conformance as it is, so that the first change is yours. */
#ifndef KIT_SCAFFOLD_H
#define KIT_SCAFFOLD_H

#include "base/bytes.h"

/* Makes `folder` (EXISTS when there is something of that name: nothing is overwritten) and in it
 * NAME.c, CMakeLists.txt and transcripts/first.txt. name: [a-z][a-z0-9_]{0,31}; rail: card, qr,
 * bank, cbdc; transport: http, framed, local (NOT_FOUND for another word). `why`: one sentence. */
enum status scaffold_write(const char *folder, const char *name, const char *rail,
                           const char *transport, struct writer *why);

#endif
