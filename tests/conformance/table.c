/* The tables as data. */
#include "requirement.h"
#include "tests.h"

#define TEST_ROW(id, section, level, phrase, family, test)                                                           \
	{ id, section, level, phrase, ANSWER_TEST, family, #test, test, NULL, NULL },
#define TESTED(id, section, level, phrase, test) TEST_ROW(id, section, level, phrase, OVER_BOTH, test)
#define TESTED_IPV4(id, section, level, phrase, test) TEST_ROW(id, section, level, phrase, OVER_IPV4, test)
#define TESTED_IPV6(id, section, level, phrase, test) TEST_ROW(id, section, level, phrase, OVER_IPV6, test)
#define CODE(id, section, level, phrase, file, function, reason)                                                     \
	{ id, section, level, phrase, ANSWER_CODE, OVER_BOTH, #function, NULL, file, reason },
#define EXCUSED_BY(id, section, level, phrase, reason)                                                               \
	{ id, section, level, phrase, ANSWER_EXCUSED, OVER_BOTH, NULL, NULL, NULL, reason },

static const struct requirement rfc9293[] = {
#include "rfc9293.def"
};
static const struct requirement rfc5961[] = {
#include "rfc5961.def"
};
static const struct requirement rfc7323[] = {
#include "rfc7323.def"
};
static const struct requirement rfc2018[] = {
#include "rfc2018.def"
};
static const struct requirement rfc6675[] = {
#include "rfc6675.def"
};
static const struct requirement rfc8985[] = {
#include "rfc8985.def"
};
static const struct requirement rfc2883[] = {
#include "rfc2883.def"
};
static const struct requirement rfc5682[] = {
#include "rfc5682.def"
};
static const struct requirement rfc6298[] = {
#include "rfc6298.def"
};
static const struct requirement rfc5681[] = {
#include "rfc5681.def"
};
static const struct requirement rfc3168[] = {
#include "rfc3168.def"
};
static const struct requirement rfc9768[] = {
#include "rfc9768.def"
};
static const struct requirement rfc7413[] = {
#include "rfc7413.def"
};
static const struct requirement rfc6093[] = {
#include "rfc6093.def"
};
static const struct requirement rfc5927[] = {
#include "rfc5927.def"
};
static const struct requirement rfc4821[] = {
#include "rfc4821.def"
};
static const struct requirement rfc5482[] = {
#include "rfc5482.def"
};
static const struct requirement rfc9438[] = {
#include "rfc9438.def"
};

#define DOCUMENT(rfc, title, rows)                                                                                   \
	{                                                                                                            \
		rfc, title, rows, sizeof(rows) / sizeof((rows)[0])                                                   \
	}

const struct document documents[] = {
	DOCUMENT("9293", "Transmission Control Protocol (TCP)", rfc9293),
	DOCUMENT("5961", "Improving TCP's Robustness to Blind In-Window Attacks", rfc5961),
	DOCUMENT("7323", "TCP Extensions for High Performance", rfc7323),
	DOCUMENT("2018", "TCP Selective Acknowledgment Options", rfc2018),
	DOCUMENT("2883", "An Extension to SACK: D-SACK", rfc2883),
	DOCUMENT("8985", "The RACK-TLP Loss Detection Algorithm", rfc8985),
	DOCUMENT("5682", "F-RTO, with RFC 3522, 3708 and 4015, and PRR (RFC 9937)", rfc5682),
	DOCUMENT("6675", "Conservative Loss Recovery Based on SACK", rfc6675),
	DOCUMENT("6298", "Computing TCP's Retransmission Timer", rfc6298),
	DOCUMENT("5681", "TCP Congestion Control", rfc5681),
	DOCUMENT("3168", "Explicit Congestion Notification (ECN)", rfc3168),
	DOCUMENT("9768", "Accurate ECN Feedback (AccECN)", rfc9768),
	DOCUMENT("7413", "TCP Fast Open", rfc7413),
	DOCUMENT("6093", "On the Implementation of the TCP Urgent Mechanism", rfc6093),
	DOCUMENT("5927", "ICMP Attacks against TCP", rfc5927),
	DOCUMENT("4821", "Path MTU Discovery (with RFC 1191 and RFC 8201)", rfc4821),
	DOCUMENT("5482", "TCP User Timeout Option", rfc5482),
	DOCUMENT("9438", "CUBIC for Fast and Long-Distance Networks", rfc9438),
};
const size_t document_count = sizeof(documents) / sizeof(documents[0]);
