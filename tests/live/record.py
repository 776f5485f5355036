"""The audit against what the clients of a load know, port by port."""
from harness import check, equal

PATH = ["SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]  # when the client closes first
ENDED_BY_DAEMON = ("DAEMON_STOP", "DAEMON_CRASH")


def stories(daemon):
    """{source port: [story, ...]}; a story is the (from, to, cause) of one connection's transitions."""
    found = {}
    for port, connection, *step in daemon.sql(
            "SELECT c.remote_port, c.id, t.from_state, t.to_state, t.cause FROM connection AS c "
            "LEFT JOIN transitions AS t ON t.connection = c.id ORDER BY c.id, t.n"):
        found.setdefault(port, {}).setdefault(connection, []).append(tuple(step))
    return {port: list(connections.values()) for port, connections in found.items()}


def check_database(daemon):
    """Every story is whole: it begins at the beginning, each transition starts where the one before ended, none is
    missing or there twice, and it has an end."""
    broken = daemon.sql("""
        SELECT b.connection, b.n, a.to_state, b.from_state FROM transitions AS b
        LEFT JOIN transitions AS a ON a.connection = b.connection AND a.n = b.n - 1
        WHERE coalesce(a.to_state, 'LISTEN') <> b.from_state LIMIT 5""")
    equal(broken, [], "stories with a break")
    holes = daemon.sql("SELECT connection FROM transitions GROUP BY connection "
                       "HAVING count(*) <> max(n) + 1 OR count(DISTINCT n) <> count(*) LIMIT 5")
    equal(holes, [], "stories with a hole, or with something twice")
    equal(daemon.sql("SELECT id FROM connection WHERE closed IS NULL LIMIT 5"), [], "connections without an end")
    open_ended = daemon.sql("""
        SELECT c.id FROM connection AS c LEFT JOIN transitions AS t ON t.connection = c.id
        AND t.to_state = 'CLOSED' GROUP BY c.id HAVING count(t.n) <> 1 LIMIT 5""")
    equal(open_ended, [], "connections without exactly one transition to CLOSED")
    orphans = daemon.sql("SELECT id >> 5 FROM transition WHERE id >> 5 NOT IN (SELECT id FROM connection) LIMIT 5")
    equal(orphans, [], "transitions of no connection")


def compare(daemon, load, others=()):
    """The audit against what the clients of `load` know. Returns how many connections the daemon's end cut short."""
    check_database(daemon)
    recorded = stories(daemon)
    unknown = set(recorded) - set(load.outcome) - set(others)
    equal(unknown, set(), "ports in the audit that no client has used")
    cut_short = 0
    for port, outcome in load.outcome.items():
        # A SYN that the old daemon has taken is sent again to the new one: two records, but one connection at most.
        whole = [story for story in recorded.get(port, []) if any(to == "ESTABLISHED" for _, to, _ in story)]
        check(len(whole) <= 1, f"port {port} was established once, and is recorded {len(whole)} times: {whole}")
        if outcome >= load.ANSWERED:
            check(whole, f"port {port} got an answer, and is not recorded: {recorded.get(port)}")
        for story in recorded.get(port, []):
            cut_short += story[-1][2] in ENDED_BY_DAEMON
        if outcome == load.COMPLETED:
            path = [to for _, to, _ in whole[0]]
            causes = [cause for _, _, cause in whole[0]]
            check(path == PATH or causes[-1] in ENDED_BY_DAEMON, f"port {port} was completed, its record is {whole}")
    return cut_short


def report(daemon, load, cut_short):
    rows = daemon.sql("SELECT count(*) FROM connection")[0][0]
    print(f"     {len(load.outcome)} tried, {load.completed} completed; {rows} in the audit, {cut_short} of them cut "
          "short")
