/* Holds today's header against the first version: no member moves, no number changes its value, no
 * struct gets smaller. What fails here would break every adapter that was ever compiled, so the
 * answer to a red line is to undo the change of the header, never to change pins_v1.def. */
#include <railgate/adapter.h>
#include <railgate/writer.h>

#include <assert.h>
#include <stdio.h>

/* clang-format off */
#define SIZE(type, bytes) static_assert(sizeof(struct type) >= (bytes), #type " is smaller than in version 1");
#define MEMBER(type, member, offset, bytes)                                                        \
    static_assert(offsetof(struct type, member) == (offset), #type "." #member " moved");          \
    static_assert(sizeof(((struct type *)0)->member) == (bytes), #type "." #member " changed size");
#define NUMBER(name, value) static_assert(name == (value), #name " changed");
/* clang-format on */
#include "pins_v1.def"

/* Structs that are laid side by side, without a size of their own, can never grow. */
static_assert(sizeof(struct rg_bytes) == 16);
static_assert(sizeof(struct rg_buffer) == 32);
static_assert(sizeof(struct rg_named) == 40);
static_assert(sizeof(struct rg_value) == 32);
static_assert(sizeof(struct rg_civil) == 24);
static_assert(sizeof(struct rg_table) == 56);

int main(void)
{
    puts("every offset, size and number is that of version 1");
    return 0;
}
