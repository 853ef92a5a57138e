#!/usr/bin/env python3
"""A complete external trainer in plain Python: no dependencies, checkpoints in a JSON file.

The "agent" is a number that walks towards 1 with noise; learning_rate and momentum decide how well.
Replace Agent by your own. What matters is the rest: the state is loaded where the order says, every
random number is keyed by (seed, unit), and the checkpoint is closed before "done" is said. docs/
trainer-protocol.md explains each line. Try it by hand: python3 python_minimal.py, then type

    {"op":"hello","protocol":1}
    {"op":"train","segment":1,"parent":null,"begin":0,"end":3,"seed":7,"hyperparameters":{},
     "resume_from":null,"checkpoint_to":"/tmp/1.json"}         (on one line)
"""
import json
import random
import select
import sys


def say(**message):
    """One JSON line. Nothing else may go to stdout; print what people should see to stderr."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Requests:
    """Lines from stdin, with a look at what is already there without waiting."""

    def __init__(self):
        self.buffer = b""

    def _fill(self):
        chunk = sys.stdin.buffer.raw.read(65536)
        if not chunk:
            sys.exit(0)  # end of file: the worker is gone or wants us to go
        self.buffer += chunk

    def _take(self):
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def wait(self):
        while b"\n" not in self.buffer:
            self._fill()
        return self._take()

    def yield_asked(self):
        """True if a yield has come in; called between units."""
        asked = False
        while True:
            if b"\n" in self.buffer:
                op = self._take()["op"]
                if op == "stop":
                    sys.exit(0)
                asked = asked or op == "yield"
            elif select.select([sys.stdin], [], [], 0)[0]:
                self._fill()
            else:
                return asked


class Agent:
    def __init__(self, seed):
        self.segment = None  # the segment that this agent ended with
        self.unit = 0
        self.weight = random.Random(f"{seed}/start").uniform(-0.1, 0.1)
        self.velocity = 0.0

    def train_unit(self, seed, learning_rate=0.1, momentum=0.5, **_):
        # keyed by seed and unit: a chain cut into other segments gives the same numbers
        noise = random.Random(f"{seed}/{self.unit}").uniform(-0.2, 0.2)
        self.velocity = momentum * self.velocity + learning_rate * (1.0 - self.weight + noise)
        self.weight += self.velocity
        self.unit += 1
        return {"episode_reward": 100.0 - 50.0 * abs(1.0 - self.weight)}

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(vars(self), file)

    @staticmethod
    def load(path):
        agent = Agent(0)
        with open(path, encoding="utf-8") as file:
            vars(agent).update(json.load(file))
        return agent


def agent_for(held, segment, path):
    """The agent that `segment` ended with: the one in memory, if it is that one, or from its file."""
    if held is not None and held.segment == segment:
        return held
    return Agent.load(path)


def train(requests, order, held):
    if order.get("parent") is None:
        agent = Agent(order["seed"])
    else:
        agent = agent_for(held, order["parent"], order["resume_from"])
    if agent.unit != order["begin"]:
        raise ValueError(f"the checkpoint ends at {agent.unit}, not at {order['begin']}")
    segment = order["segment"]
    yielded = False
    while agent.unit < order["end"] and not yielded:
        values = agent.train_unit(order["seed"], **order.get("hyperparameters", {}))
        say(op="metric", segment=segment, step=agent.unit, values=values)
        yielded = requests.yield_asked()
    agent.segment = segment
    if order.get("checkpoint_to"):
        agent.save(order["checkpoint_to"])
    if agent.unit < order["end"]:
        say(op="done", segment=segment, end=agent.unit)
    else:
        say(op="done", segment=segment)
    return agent


def evaluate(order, held):
    agent = agent_for(held, order["segment"], order["resume_from"])
    for episode in range(order["episodes"]):
        noise = random.Random(f"{order['seed']}/{episode}").uniform(-1.0, 1.0)
        reward = 100.0 - 50.0 * abs(1.0 - agent.weight) + noise
        say(op="metric", evaluation=order["evaluation"], step=episode + 1,
            values={"episode_reward": reward})
    say(op="done", evaluation=order["evaluation"])


def main():
    requests = Requests()
    agent = None
    while True:
        order = requests.wait()
        op = order["op"]
        try:
            if op == "hello":
                say(op="hello", protocol=1, trainer="python_minimal 1", checkpoint=True,
                    deterministic=True)
            elif op == "train":
                agent = train(requests, order, agent)
            elif op == "evaluate":
                evaluate(order, agent)
            elif op == "stop":
                return
            # a yield between orders, and ops that are not known yet, ask for nothing
        except (ValueError, OSError) as error:
            agent = None
            key = "evaluation" if op == "evaluate" else "segment"
            say(op="failed", reason=str(error), **{key: order[key]})


if __name__ == "__main__":
    main()
