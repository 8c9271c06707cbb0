/* xml_walk.c - looking at a tree that xml_read made. */
#include "xml_in.h"

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
    const struct xml_node *child = node != NULL ? node->first : NULL;
    while (child != NULL && !view_is(child->name, name))
        child = child->next;
    return child;
}

const struct xml_node *xml_again(const struct xml_node *node)
{
    const struct xml_node *other = node->next;
    while (other != NULL && !view_equal(other->name, node->name))
        other = other->next;
    return other;
}

const struct xml_node *xml_at(const struct xml_node *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        size_t len = strcspn(path, "/");
        const struct xml_node *child = node->first;
        while (child != NULL && !view_equal(child->name, view_of(path, len)))
            child = child->next;
        node = child;
        path += path[len] == '/' ? len + 1 : len;
    }
    return node;
}

struct view xml_text_at(const struct xml_node *node, const char *path)
{
    const struct xml_node *found = xml_at(node, path);
    return found != NULL ? found->text : VIEW_EMPTY;
}

struct view xml_attribute(const struct xml_node *node, const char *name)
{
    for (const struct xml_attribute *a = node != NULL ? node->attributes : NULL; a != NULL;
         a = a->next)
        if (view_is(a->name, name))
            return a->value;
    return VIEW_EMPTY;
}

const struct xml_node *xml_walk(const struct xml_node *node, const struct xml_node *top)
{
    if (node->first != NULL)
        return node->first;
    while (node != top && node->next == NULL)
        node = node->parent;
    return node != top ? node->next : NULL;
}

const struct xml_node *xml_find(const struct xml_node *node, const char *name, const char *ns)
{
    for (const struct xml_node *n = node; n != NULL; n = xml_walk(n, node))
        if (view_is(n->name, name) && view_starts_with(n->ns, view_text(ns)))
            return n;
    return NULL;
}
