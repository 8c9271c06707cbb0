# Writes the bytes of the file IN as a C array into OUT.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n    " bytes "${bytes}")
file(WRITE ${OUT} "/* SPDX-License-Identifier: Apache-2.0
 * Made from adapters/qr/schemes.conf. */
#include \"kits/qr_schemes.h\"

static const uint8_t bytes[${size}] = {
    ${bytes}
};

struct rg_bytes qr_schemes_builtin(void)
{
    return (struct rg_bytes){ bytes, sizeof bytes };
}
")
