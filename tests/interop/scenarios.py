"""What a model answers to an agent that is driven by Cogwork, and what each session has to come to.

Scripts for `mock-model-api` and words; nothing in here starts anything. Errors look as each service sends them.
"""


class Scenario:
    """A script, and how the session of it ends.

    `expected` is what the session comes to, its pauses first, as `usage_limit -> completed`; one that ends with
    ` -> ...` is over with its first pause, which would be too long to be waited out. `flags` are those of
    `cogwork run`; `refused` is how many tools the command policy refuses.
    """

    def __init__(self, turns, expected, *flags, refused=0):
        self.turns, self.expected, self.flags, self.refused = turns, expected, list(flags), refused

    @property
    def pauses(self):
        return self.expected.endswith(" -> ...")


def call(tool):
    return {"tool": {"name": "*" + tool, "input": {"feature_id": 1}}}


def error(status, message="no", retry_after=None, times=0, **more):
    """An error; `times` 0 is always."""
    turn = {"error": dict({"status": status, "message": message}, **more), "times": times}
    return turn if retry_after is None else dict(turn, retry_after=retry_after)


def shell(command, **more):
    return dict({"shell": command}, **more)


READ = dict(call("feature_get_by_id"), text="I will look at the feature.")
BUILD = shell("echo hello > greeting.txt && git add greeting.txt && git commit -q -m 'Say hello' && echo committed")
# A whole feature: looked at, handed in too soon and refused, built, handed in again.
FEATURE = [
    READ, call("feature_mark_passing"), BUILD, {"write": {"path": "notes.md", "content": "done\n"}},
    call("feature_mark_passing"), {"text": "The feature is done."},
]
# Nothing that the agent starts sees the secret of the attempt; its MCP server does, or it could not write.
LOOKS_FOR_SECRETS = shell("env | grep -v '^CLAUDE_' | grep -Ec 'COGWORK_TOKEN=|[^0-9a-z]1-[0-9a-f]{12}' | "
                          "sed 's/^/secrets: /'")
# The project itself, its settings and the home are not an agent's to write, and `driven` looks whether it has.
OUTSIDE = "../../../outside"
ESCAPE = shell("touch %s; touch ~/outside; touch ../../outside; echo tried" % OUTSIDE)
FORBIDDEN = [shell("echo x | sudo tee y"), shell("git push origin main"), shell("bash -c 'touch %s'" % OUTSIDE),
             {"write": {"path": OUTSIDE, "content": "x"}}]


def subscription(window, resets, times=0):
    """What Anthropic's service says of a subscription that is used up."""
    message = "This request would exceed your account's rate limit. Please try again later."
    return error(429, message, times=times, headers={
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-representative-claim": window, "anthropic-ratelimit-unified-reset": resets})


OPENAI_LIMIT = error(
    429, times=1, body={"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached",
                                  "plan_type": "pro", "resets_at": "{{now+8}}"}},
    headers={"x-codex-primary-used-percent": "100", "x-codex-primary-window-minutes": "300",
             "x-codex-primary-reset-at": "{{now+8}}"})
# With a limit of 0 it does not ask again by itself.
GOOGLE_LIMIT = error(429, times=1, body={"error": {
    "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You have exhausted your quota on this model, limit: 0. "
    "Your quota will reset after 8s."}})
# In the same words as a service of one's own may have; a refusal that is not to be tried again.
OTHER_LIMIT = error(403, "You've hit your limit · resets in 8s", times=1)
# A limit that ends within seconds.
LIMITS = {"claude": subscription("five_hour", "{{now+8}}", times=1), "codex": OPENAI_LIMIT, "gemini": GOOGLE_LIMIT,
          "opencode": OTHER_LIMIT}
TOO_LONG = error(400, body={"error": {
    "type": "invalid_request_error", "code": "context_length_exceeded",
    "message": "prompt is too long: 215000 tokens > 200000 maximum"}})


def of_all(agent):
    """{name: scenario}: what every agent is put through."""
    limit = LIMITS[agent]
    return {
        "feature": Scenario(FEATURE, "completed"),
        "limit": Scenario([limit, *FEATURE], "usage_limit -> completed"),
        "limit-later": Scenario([*FEATURE[:3], limit, *FEATURE[3:]], "usage_limit -> completed"),
        "bad-key": Scenario([error(401, "invalid api key")], "auth"),
        "throttled": Scenario([error(429, "Too many requests", 1)], "throttled -> ..."),
        "broken": Scenario([error(500, "oops")], "transient -> ..."),
        "too-long": Scenario([TOO_LONG], "context_full -> ..."),
        "gives-up": Scenario([READ, {"text": "I could not do it. All features are passing. 429."}],
                             "completed, not passing"),
        "secrets": Scenario([LOOKS_FOR_SECRETS, *FEATURE], "completed"),
        # Whichever wall stands on the machine, with nothing in front of it.
        "sandbox": Scenario([ESCAPE, *FEATURE], "completed", "--sandbox", "auto", "--policy", "off"),
    }


CHILD = "python3 -c 'import time; time.sleep(600)'"
# What is left of a day when the words say nothing else: long enough to be a pause, and not waited out.
LATER = "{{now+3600}}"
# Claude Code's own ways to be refused, cut off, kept waiting and left alone.
OF_CLAUDE = {
    # It asks before each tool, is told no, and goes on.
    "policy": Scenario([*FORBIDDEN, *FEATURE], "completed", refused=len(FORBIDDEN)),
    "throttled-then-ok": Scenario([error(429, "Number of request tokens has exceeded your per-minute rate limit", 1, 2),
                                   *FEATURE], "completed"),
    # It does not wait that long itself, and does not say how long it should have.
    "throttled-for-long": Scenario([error(429, "Too many requests", 120)], "throttled -> ..."),
    "five-hours": Scenario([subscription("five_hour", LATER)], "usage_limit -> ..."),
    "seven-days": Scenario([subscription("seven_day", "{{now+259200}}")], "usage_limit -> ..."),
    "limit-and-stop": Scenario([subscription("seven_day", LATER)], "usage_limit", "--on-limit", "stop"),
    "overloaded": Scenario([error(529, "Overloaded")], "transient -> ..."),
    "no-credit": Scenario([error(400, "Your credit balance is too low to access the Anthropic API. Please go to Plans "
                                      "& Billing to upgrade or purchase credits.")], "billing"),
    "stream-cut": Scenario([{"text": "a text long enough to be cut in the middle",
                             "fault": {"kind": "disconnect", "after": 4}}, *FEATURE], "completed"),
    "stream-silent": Scenario([{"text": "a text long enough to go silent", "fault": {"kind": "hang", "after": 4},
                                "times": 0}], "silent", "--max-silence-s", "15"),
    "no-answer": Scenario([{"hang": 3600, "times": 0}], "silent", "--max-silence-s", "15"),
    "not-an-api": Scenario([{"raw": "<html>proxy login</html>", "content_type": "text/html", "times": 0}],
                           "transient -> ..."),
    "endless": Scenario([shell("true", times=0)], "turn_limit", "--max-turns", "3"),
    "for-too-long": Scenario([shell("sleep 1", times=0)], "timed_out", "--max-session-s", "8"),
    "too-dear": Scenario([shell("true", times=0)], "budget_spent", "--session-budget-usd", "0.0001"),
    "slow-child": Scenario([shell(CHILD), {"text": "end"}], "silent", "--max-silence-s", "12"),
    "escaped-child": Scenario([shell("(setsid %s >/dev/null 2>&1 &); echo started" % CHILD), {"hang": 600}], "silent",
                              "--max-silence-s", "12"),
}
