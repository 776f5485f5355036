#pragma once
/* Manual pages for man(7): what the generators of the pages share. */
#include <stdio.h>

/* The head of a page. `manual` is the part of the system's manual it belongs to. */
void roff_page(FILE *file, const char *name, const char *section, const char *manual, const char *summary);

/* Plain text, with everything that roff would read as its own made harmless; no line end after it. */
void roff_text(FILE *file, const char *text);

/* The same as lines: a paragraph. */
void roff_line(FILE *file, const char *text);

/* A tagged paragraph: the term in bold, its argument (NULL: none) behind it, the text below. */
void roff_item(FILE *file, const char *term, const char *argument, const char *text);

/* Lines as they stand, such as a piece of a file. */
void roff_example(FILE *file, const char *lines);

/* 0, or 1 when something could not be written: the exit code of a generator. */
int roff_end(FILE *file);
