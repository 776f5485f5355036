/* Prints the shipped configuration file, which follows from the table of keys. */
#include "config/config.h"

int main(void)
{
	return config_write_template(stdout) == 0 && fflush(stdout) == 0 ? 0 : 1;
}
