"""Ledgers: what faults reached whom."""

import json


def events(path):
    """The events of a ledger file, in order; its header and a line still being written are left out."""
    found = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                break
            entry = json.loads(line)
            if "seq" in entry:
                found.append(entry)
    return found


def describe(event):
    """One event as a sentence for a person."""
    at = f" at {event['offset']}+{event['len']}" if event.get("len") else ""
    words = [f"{event['rule']}: {event['fault']} {event['outcome']}, {event['op']} of {event['path']}{at}"]
    for bit in event.get("bits", []):
        change = f" (0x{bit['before']:02x} -> 0x{bit['after']:02x})" if "after" in bit else ""
        words.append(f"byte {bit['byte']} bit {bit['bit']}{change}")
    for region in event.get("regions", []):
        words.append(f"bytes {region['bytes'][0]}+{region['bytes'][1]} read as {region['content']}")
    for lost in event.get("lost", []):
        words.append(f"bytes {lost['bytes'][0]}+{lost['bytes'][1]} lost")
    if "errno" in event:
        words.append(event["errno"])
    if "delay_ns" in event:
        words.append(f"{event['delay_ns'] / 1e6:.1f} ms late")
    return f"{', '.join(words)}; by {event['comm'] or '?'} (pid {event['pid']})"
