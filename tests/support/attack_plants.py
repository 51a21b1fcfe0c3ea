"""Which checks find each attack of the attack drill: without them its test must fail (tests/e2e/test_attack_plants.py).

Each of the checks by itself: where several find an attack, its test asks for what each of them says, and misses every one. The
tests of the command have here what the command does, the rest has its row with the attack itself.
"""

from tests.support.unchecked import Check

LIVE, COMMAND = "shared.audit.live:verify_live", "shared.cli.audit_live:verify_town"
ROW, TOLD, READ = (f"shared.audit.own_bytes:{name}" for name in ("OwnBytes._row", "_told", "OwnBytes.read"))
AROUND, GUARD, GUARDS = (
    "shared.audit.own_bytes:OwnBytes._around",
    "shared.audit.guards:_trigger",
    "shared.audit.guards:faults",
)
STREAM, MESSAGES = "shared.audit.on_nats:faults", "shared.audit.on_nats:_messages"
INBOX, COPY = "shared.audit.inboxes:faults", "shared.audit.inboxes:_fault"

CHECKS = {
    # The log's rows.
    "bytes have the leaf they were numbered with": Check(
        ROW, 'if not leaf_of(body) == row["leaf"] == row["said"]:', "if False:"
    ),
    "bytes are there": Check(ROW, 'yield "内容已被删除", "its bytes are gone"', "pass"),
    "bytes can be read": Check(TOLD, 'yield "内容无法读取", "its bytes cannot be read"', "pass"),
    "columns say what the bytes say": Check(TOLD, "if other:", "if False:"),
    "every position is there": Check(
        READ, 'if row["position"] != position:', 'self.whole &= row["position"] == position\n        if False:'
    ),
    "times of numbering ascend": Check(READ, 'if times is not None and row["sequenced_at"] < times:', "if False:"),
    "nothing is numbered before it is recorded": Check(READ, 'times < row["recorded_at"] - SLACK:', "False:"),
    "nothing is numbered after it was signed": Check(
        "shared.audit.own_bytes:seen_before", "if position is not None:", "if False:"
    ),
    "the log reaches what was signed": Check(
        READ, "if self.ends < signed:", "self.whole &= self.ends >= signed\n    if False:"
    ),
    "roots are those that were signed on the way": Check(
        "shared.audit.own_bytes:OwnBytes._mark", "if signed == tree.root(self._frontier):", "if True:"
    ),
    "every event has a number": Check(AROUND, "for row in await tx.all(UNNUMBERED):", "for row in ():"),
    "the head's position": Check(AROUND, 'if head["position"] != self.ends:', "if False:"),
    "the head's root": Check(AROUND, 'head["root"], head["frontier"]) != (', 'tree.root(self._frontier), head["frontier"]) != ('),
    "the head's frontier": Check(
        AROUND, 'head["root"], head["frontier"]) != (', 'head["root"], tree.pack(self._frontier)) != ('
    ),
    # Signatures, and the export that the rows make.
    "a checkpoint meets the policy": Check(LIVE, "if note is None:", "if False:"),
    "the kept checkpoint's log is here": Check(LIVE, "if origin.lineage not in lineages:", "if False:"),
    "signatures fit": Check(
        "shared.transparency.note:_checked",
        'raise NoteRefused(f"the signature of {key.name} does not fit") from None', "pass",
    ),
    "leaves stand in their tiles": Check("shared.verifier.log:_against_tile", "if tile != row:", "if False:"),
    "nodes stand in the tiles above": Check(
        "shared.verifier.roots:Growing._compare", "if there[32 * nth : 32 * nth + 32] != node:", "if False:"
    ),
    "the root is that of the checkpoint": Check("shared.verifier.log:_compare", "if root != known.root:", "if False:"),
    # Guards.
    "guards are there and on": Check(
        GUARDS, 'yield Found(f"保护触发器 {guard} 被停用或删除", f"the guard {guard} is off or gone")', "pass"
    ),
    "guards call what they called": Check(GUARD, "plain, function)", "plain)"),
    "guards act on every condition": Check(GUARD, "plain, function)", "function)"),
    "guards act on all they acted on": Check(GUARD, 'frozenset(events.split(" OR "))', '""'),
    "functions are as they were made": Check(GUARDS, "if {text for of, text in there if of == name} != {body}:", "if False:"),
    "roles have no other rights": Check(GUARDS, "if (table, role, privilege) not in made.rights:", "if False:"),
    "nobody is spared the guards": Check(GUARDS, "for row in await tx.all(REPLICA, (roles,)):", "for row in ():"),
    # Files.
    "files hold the bytes that events name": Check(
        "shared.files:Files.get", "if hashlib.sha256(content).hexdigest() != sha256:", "if False:"
    ),
    "files are there": Check(
        "shared.audit.own_files:faults",
        'yield Found(f"文件 {sha256} 已被删除", f"the file {sha256} is gone", position)', "pass",
    ),
    # Keys.
    "keys that are gone were erased": Check(
        "shared.audit.own_keys:OwnKeys._look", "if not self._covered(key_id, asked[key_id]):", "if False:"
    ),
    "all such keys are counted": Check(
        "shared.audit.own_keys:OwnKeys.faults", "if self._more or len(self._gone) > MOST_NAMED:", "if False:"
    ),
    "the key store says which are gone": Check(
        "shared.audit.own_keys:OwnKeys.faults", "if self._unseen is not None:", "if False:"
    ),
    # Read models and inboxes.
    "read models follow from the record": Check("shared.audit.models:_found", "wrong.append(change)", "pass"),
    "copies have the bytes of the log": Check(COPY, "if any(each != body for each, _ in held):", "if False:"),
    "copies have the type of their bytes": Check(
        COPY, 'if any(type_ != attribute(each, "type") for each, type_ in held):', "if False:"
    ),
    "copies are there once": Check(COPY, "if len(held) > 1:", "if False:"),
    "copies are there": Check(COPY, "if wanted and not held:", "if False:"),
    "nobody received more than the log has": Check(INBOX, 'if mark["position"] > upto:', "if False:"),
    "what is hidden was forgotten": Check(
        INBOX, 'if row["shared"] not in log.ends.get(row["lineage"], ()):', "if False:"
    ),
    "readers have a mark": Check(INBOX, "if log.position:", "if False:"),
    # The stream.
    "the stream is there": Check(STREAM, "if head:", "if False:"),
    "the stream begins where it must": Check(
        STREAM, "if state.messages and state.first_seq > first:", "if False:"
    ),
    "the stream reaches the log's end": Check(
        STREAM, "if state.last_seq < head or not state.messages:", "if False:"
    ),
    "no message lacks between two": Check(MESSAGES, "if position > expected:", "if False:"),
    "no message lacks at the end": Check(MESSAGES, "if expected <= last:", "if False:"),
    "messages are the log's": Check(MESSAGES, "elif leaf_of(message.data) != leaf_of(log[position]):", "elif False:"),
    "the log has the message": Check(
        MESSAGES, "if position not in log:", "if log.setdefault(position, message.data) is None:"
    ),
    # The command.
    "doubts decide how the command ends": Check(COMMAND, "return DOUBTED if doubts else PROVEN", "return PROVEN"),
    "the command compares inboxes": Check(COMMAND, "doubts += _said(source, found, progress)", "pass"),
    "the command uses all that was kept": Check(
        COMMAND, "if not any(_is_of(origin, service) for service in services.values()):", "if False:"
    ),
    "the command says of what nothing was kept": Check(COMMAND, "unseen.append(name)", "pass"),
}  # fmt: skip

NO_ATTACKS = {"test_the_untouched_copy_passes", "test_the_untouched_copy_is_told_to_agree"}

PLANTS: dict[str, tuple[str, ...]] = {
    # test_attacks_log.py
    "test_an_altered_event": (
        "bytes have the leaf they were numbered with",
        "leaves stand in their tiles",
        "the root is that of the checkpoint",
    ),
    "test_a_row_that_queries_read_beside_the_bytes": ("columns say what the bytes say",),
    "test_a_leaf_that_is_no_longer_computed": ("bytes have the leaf they were numbered with",),
    "test_a_dropped_event": ("every position is there",),
    "test_an_event_that_was_emptied_of_its_bytes": ("bytes are there",),
    "test_bytes_that_nobody_can_read": ("bytes can be read",),
    "test_a_time_of_numbering_that_was_altered": ("times of numbering ascend",),
    "test_events_that_were_put_into_an_earlier_week": ("nothing is numbered before it is recorded",),
    "test_events_that_were_put_behind_the_signature_of_a_witness": ("nothing is numbered after it was signed",),
    "test_a_head_that_was_altered[position]": ("the head's position",),
    "test_a_head_that_was_altered[root]": ("the head's root",),
    "test_a_head_that_was_altered[frontier]": ("the head's frontier",),
    "test_an_event_taken_out_of_the_log_alone": ("every event has a number",),
    "test_two_events_that_changed_places": ("the root is that of the checkpoint",),
    "test_everything_was_deleted": ("the log reaches what was signed",),
    "test_a_guard_that_guards_no_more[switched_off]": ("guards are there and on",),
    "test_a_guard_that_guards_no_more[of_another_function]": ("guards call what they called",),
    "test_a_guard_that_guards_no_more[hollowed_out]": ("functions are as they were made",),
    "test_a_guard_that_guards_no_more[on_no_condition]": ("guards act on every condition",),
    "test_a_guard_that_guards_no_more[against_updates_alone]": ("guards act on all they acted on",),
    "test_a_guard_that_guards_no_more[by_the_way]": ("roles have no other rights",),
    "test_a_guard_that_guards_no_more[altogether]": ("nobody is spared the guards",),
    "test_two_routes_that_changed_places": ("files hold the bytes that events name",),
    "test_a_route_that_was_deleted": ("files are there",),
    "test_the_keys_of_a_tipster_destroyed_by_hand": ("keys that are gone were erased",),
    "test_a_key_of_which_not_even_the_row_is_left": ("keys that are gone were erased", "all such keys are counted"),
    "test_a_key_store_that_does_not_say_what_was_destroyed": ("the key store says which are gone",),
    # test_attacks_recomputed.py
    "test_everything_recomputed_is_not_what_was_signed[altered]": ("roots are those that were signed on the way",),
    "test_everything_recomputed_is_not_what_was_signed[dropped]": (
        "roots are those that were signed on the way",
        "the log reaches what was signed",
    ),
    "test_everything_recomputed_is_not_what_was_signed[inserted]": ("roots are those that were signed on the way",),
    "test_everything_recomputed_is_not_what_was_signed[swapped]": ("roots are those that were signed on the way",),
    "test_checkpoints_thrown_away_with_it": (
        "a checkpoint meets the policy",
        "roots are those that were signed on the way",
    ),
    "test_a_checkpoint_that_was_forged": ("signatures fit",),
    "test_a_log_of_another_name": ("the kept checkpoint's log is here",),
    "test_inner_nodes_that_were_altered": ("nodes stand in the tiles above",),
    "test_an_end_that_was_cut_off": ("the log reaches what was signed",),
    # test_attacks_beside_the_log.py
    "test_a_read_model_that_was_edited": ("read models follow from the record",),
    "test_a_copy_in_an_inbox_that_was_altered": ("copies have the bytes of the log", "copies are there"),
    "test_an_end_that_others_have_received": ("nobody received more than the log has",),
    "test_facts_hidden_by_a_restore_that_never_was": ("what is hidden was forgotten",),
    "test_a_mark_that_was_taken_away": ("readers have a mark",),
    "test_a_forged_copy_under_a_name_of_its_own": ("copies are there once",),
    "test_a_copy_that_is_passed_by_for_its_type": ("copies have the type of their bytes",),
    "test_a_stream_that_was_made_anew[shortened]": ("the stream reaches the log's end",),
    "test_a_stream_that_was_made_anew[beheaded]": ("the stream begins where it must",),
    "test_a_stream_that_was_made_anew[without_its_last]": ("no message lacks at the end",),
    "test_a_stream_that_was_made_anew[with_a_gap]": ("no message lacks between two",),
    "test_a_stream_that_was_made_anew[with_another]": ("messages are the log's",),
    "test_a_stream_that_was_made_anew[with_one_more]": ("the log has the message",),
    "test_a_stream_that_was_deleted": ("the stream is there",),
    # test_attacks_told.py
    **{
        f"test_each_kind_of_attack_is_told[{kind}]": ("doubts decide how the command ends",)
        for kind in ("altered", "dropped", "inserted", "swapped", "truncated", "recomputed", "restored", "edited")
    },
    "test_the_command_says_so_and_leaves_with_one": ("doubts decide how the command ends",),
    "test_a_kept_checkpoint_of_a_service_that_is_not_verified_is_a_doubt": (
        "the command uses all that was kept",
        "the command says of what nothing was kept",
    ),
    "test_the_command_compares_inboxes_and_what_was_kept": ("the command compares inboxes",),
}
