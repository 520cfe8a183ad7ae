# cython: language_level=3, boundscheck=False, wraparound=False, always_allow_keywords=False
"""What `masking.core.plain` does, compiled: it walks each piece character by character, and remembers no pieces.

Everything that is rare is left to Python: characters that rules see as none or as several, signs with which a
placeholder, an escape or a link may begin, and every decision that is more than one finding which is all.

States and edges are borrowed while a piece is read: the first state is held by who reads, every other one by the edge
that leads there. Nothing here lets other threads in but the calls of Python that are to be seen.
"""

import os
from array import array

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc

from libc.stdlib cimport qsort
from libc.string cimport memcpy

cdef extern from "Python.h":
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    unsigned int PyUnicode_READ(int, void*, Py_ssize_t)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    bint PyUnicode_IS_ASCII(object)
    bint PyUnicode_CheckExact(object)
    object PyUnicode_FromObject(object)

if os.environ.get("MASKING_COMPILED") == "0":
    raise ImportError("MASKING_COMPILED=0 asks for streams in Python")

cdef object _NOTHING = frozenset()
cdef object _NO_ENDS = {}

cdef enum:
    LONGEST = 10  # characters of an escape
    MOST_GROUPS = 8
    MOST_SIGNS = 64
    ODD = 0xFFFF
    PATIENT = 48
    TRUST = 64
    REACH = 24
    LONGEST_SHAPE = 96
    MOST_PATHS = 512


include "compiled_steps.pxi"


cdef bint has_odd(Classes classes, str text) except -1:
    """Whether a text has characters that rules see as none or as several, or with which an escape may begin."""
    cdef int kind = PyUnicode_KIND(text)
    cdef void* data = PyUnicode_DATA(text)
    for at in range(PyUnicode_GET_LENGTH(text)):
        if classes.of(PyUnicode_READ(kind, data, at)) == ODD:
            return True
    return False


cdef bint fills(one, str text, Py_ssize_t hold, Py_ssize_t until) except -1:
    """As `masking.core.plan.Candidate.fills`."""
    cdef Py_ssize_t start = (<tuple>one)[4], end = (<tuple>one)[5], after = (<tuple>one)[6]
    return (
        after <= hold
        and until <= end
        and (start == 0 or text[:start].isspace())
    )


def last(trail, Py_ssize_t most):
    """As `masking.core.plain.last`."""
    cdef list pieces = [], marks = []
    cdef Py_ssize_t behind = 0
    for piece in reversed(trail):
        if PyUnicode_GET_LENGTH(piece):
            pieces.append(piece)
            behind += PyUnicode_GET_LENGTH(piece)
            if behind >= most:
                break
        elif not PyUnicode_CheckExact(piece):
            marks.append((piece.pattern, behind))
    pieces.reverse()
    cdef str said = "".join(pieces)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(said)
    if size > most:
        said = said[size - most :]
        size = most
    if not marks:
        return said, _NO_ENDS
    return said, {pattern: size - place for pattern, place in reversed(marks)}


cdef class Reader:
    """One lane, as far as the automaton has read it; see `masking.core.redact.Redactor`."""

    cdef str _held
    cdef bint clear
    cdef public Py_ssize_t read, until, blocked, wide
    cdef Known _state
    cdef int count
    cdef Py_ssize_t begun[MOST_GROUPS]
    cdef public object touched, trail
    cdef public object own, _plan, _counts
    cdef object append
    cdef Classes classes

    def __init__(self, plan, own, counts, trail):
        self._plan, self.own, self._counts = plan, own, counts
        self.trail, self.append = trail, trail.append
        self.classes = plan.automaton.classes
        self._held = ""
        self._state = plan.automaton.idle
        self.touched = frozenset()
        self.clear = True

    @property
    def held(self):
        return self._held

    @held.setter
    def held(self, str text not None):
        self._held = text
        self.clear = not text

    @property
    def state(self):
        return self._state

    @state.setter
    def state(self, Known state not None):
        self._state = state

    @property
    def starts(self):
        return tuple([self.begun[at] for at in range(self.count)])

    @starts.setter
    def starts(self, tuple starts not None):
        if len(starts) > MOST_GROUPS:
            raise ValueError("too many groups")
        self.count = len(starts)
        for at in range(self.count):
            self.begun[at] = starts[at]

    def step(self, str text not None):
        """What may be said now that `text` has come, in which no escape begins; None where `take` must see it."""
        return self.advanced(text)

    cdef str advanced(self, str text):
        cdef Py_ssize_t waiting = PyUnicode_GET_LENGTH(self._held), length = PyUnicode_GET_LENGTH(text)
        cdef Py_ssize_t at, hold, least, size = waiting + length
        cdef Py_ssize_t kept[MOST_GROUPS]
        cdef Py_ssize_t fresh[MOST_GROUPS]
        cdef int number, one, other, count, kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef unsigned int character
        # Borrowed: every state on the way is kept by the edge that leads there, and the first one by the reader.
        cdef void* state = <void*>self._state
        cdef void* edge
        cdef Classes classes = self.classes
        cdef object touched = None
        cdef str said

        if self.read < waiting:
            return None
        count = self.count
        for one in range(count):
            kept[one] = self.begun[one]
        for at in range(length):
            character = PyUnicode_READ(kind, data, at)
            number = classes.ascii[character] if character < 128 else 0
            if number == 0:
                number = classes.of(character)
            if number == ODD:
                return None
            edge = (<Known>state).table[number] if number < (<Known>state).size else NULL
            if edge == NULL:
                edge = classes.learn(<Known>state, character, number)
            if not (<Edge>edge).same:
                count = (<Edge>edge).count
                for one in range(count):
                    other = (<Edge>edge).kept[one]
                    fresh[one] = kept[other] if other >= 0 else waiting + at
                for one in range(count):
                    kept[one] = fresh[one]
            if (<Edge>edge).touched is not None:
                touched = (<Edge>edge).touched if touched is None else touched | (<Edge>edge).touched
            state = <void*>(<Edge>edge).state

        if touched is not None:
            self.touched = self.touched | touched
            self.until = size
        self._state = <Known>state
        hold = size
        if count:
            hold = kept[0]
            if size - hold > self._state.bound:
                least = self.behind(text, hold, self._state.bound)
                if least > hold:
                    hold = least
                    for one in range(count):
                        if kept[one] < least:
                            kept[one] = least
        if hold and self.touched:
            if hold < self.blocked or (hold < self.until and size <= PATIENT):
                hold = 0  # what may have matched reaches over it, most likely: to look now would be in vain
            else:
                self.count = count
                for one in range(count):
                    self.begun[one] = kept[one]
                return self.decide(self._held + text, size, hold)
        if hold == waiting + 1 and hold < size and PyUnicode_READ(kind, data, 0) == 32:
            hold = waiting  # the blank before a word waits with it: to cut it off would cost more than all the rest
        self.count = count
        for one in range(count):
            self.begun[one] = kept[one] - hold
        self.read = size - hold
        if hold == 0:
            self._held = self._held + text if waiting else text
            return ""
        if hold == waiting:
            said = self._held
            self._held = text
        elif hold == size:
            said = self._held + text if waiting else text
            self._held = ""
        elif hold > waiting:
            said = self._held + text[: hold - waiting] if waiting else text[:hold]
            self._held = text[hold - waiting :]
        else:
            said = self._held[:hold]
            self._held = self._held[hold:] + text
        if self.clear or PyUnicode_IS_ASCII(said):
            self.append(said)
        else:
            self.trail.add(said)
        if hold >= waiting:
            self.clear = True
        return said

    cdef str decide(self, str pending, Py_ssize_t size, Py_ssize_t hold):
        """As `settled`, where one finding is all, or none is; the rest is left to that."""
        cdef Py_ssize_t start, end, after, at, matched = 0
        cdef str said
        cdef list found = None
        plan = self._plan
        together = plan.together(self.touched)
        before, ends = last(self.trail, together.needs + LONGEST)
        if has_odd(self.classes, before):
            before, ends = self.trail.context(together.needs)
            found = plan.candidates(before, pending, together, ends, hold, self.until)
        else:
            shapes, spare = together.shapes, together.spare
            if shapes is not None:
                if ends:
                    for number in together.plain:
                        matched = max(matched, ends.get(number, 0))
                found = (<Shaped?>shapes).find(before, pending, matched, hold, self.until)
            if not (
                found is not None
                and spare is not None
                and (spare is plan.worst or (found and found[0].rank <= spare and fills(found[0], pending, hold, self.until)))
            ):
                found = plan.others(before, pending, together, ends, hold, self.until, found)
        if not found and self.until <= hold:
            said = pending[:hold]
            self.trail.add(said)
        elif found and fills(found[0], pending, hold, self.until):
            best = found[0]
            _, _, _, _, start, end, after, number, begun = best
            for one in found:
                if one < best or (<tuple>one)[6] != after or (self.own and (<tuple>one)[8] != start):
                    return self.settled(pending, hold, before, found)
            if self.own and pending[start:end] in self.own:
                return self.settled(pending, hold, before, found)
            mark, entity = plan.marks[number]
            self._counts[entity] += 1
            said = pending[:start] + mark + pending[end:hold]
            at = 0
            for one in found:
                ending = plan.endings[(<tuple>one)[7]]
                if ending is not None:
                    if not at:
                        self.trail.add(pending[:after])
                        at = after
                    self.append(ending)
            self.trail.add(pending[at:hold])
        else:
            return self.settled(pending, hold, before, found)
        self.blocked = 0
        self.until -= hold
        self.touched = _NOTHING
        self._held = pending[hold:] if hold < size else ""
        self.clear = self.clear or hold == size
        self.read = size - hold
        for one in range(self.count):
            self.begun[one] -= hold
        return said

    cdef Py_ssize_t behind(self, str text, Py_ssize_t hold, Py_ssize_t bound) except -1:
        cdef str pending = self._held + text
        if PyUnicode_IS_ASCII(pending) and "%" not in pending and "&" not in pending and "\\" not in pending:
            return PyUnicode_GET_LENGTH(pending) - bound
        return self.least(pending, hold, bound)


cdef class Signs:
    """The characters with which something may begin that is not the reader's."""

    cdef bint near[128]
    cdef unsigned int others[MOST_SIGNS]
    cdef int count

    def __init__(self, str signs not None):
        for character in signs:
            if ord(character) < 128:
                self.near[ord(character)] = True
            else:
                if self.count == MOST_SIGNS:
                    raise ValueError("too many signs")
                self.others[self.count] = ord(character)
                self.count += 1

    cdef bint are_in(self, str text):
        cdef int kind = PyUnicode_KIND(text), one
        cdef void* data = PyUnicode_DATA(text)
        cdef unsigned int character
        for at in range(PyUnicode_GET_LENGTH(text)):
            character = PyUnicode_READ(kind, data, at)
            if character < 128:
                if self.near[character]:
                    return True
            elif not 0x4E00 <= character <= 0x9FFF:
                for one in range(self.count):
                    if self.others[one] == character:
                        return True
        return False


cdef dict _SIGNS = {}


cdef class Lane:
    """What a stream needs to feed its reader."""

    cdef public str _before
    cdef public bint _quick
    cdef public dict _quiet
    cdef Reader reader
    cdef Signs signs

    def _open(self, Reader reader, str signs):
        """Feed this reader what holds none of these signs; without one, that is said as it is."""
        self.reader, self._quick = reader, True
        self.signs = _SIGNS.get(signs)
        if self.signs is None:
            self.signs = _SIGNS[signs] = Signs(signs)

    def feed(self, text):
        """What can be said now that `text` has arrived."""
        cdef str said
        if not PyUnicode_CheckExact(text):
            if not isinstance(text, str):
                raise TypeError(f"a piece of text is a str, not {type(text).__name__}; decode bytes first")
            text = PyUnicode_FromObject(text)  # of a kind of its own
        if self._quick and (not self.signs.are_in(<str>text) or text in self._quiet):
            said = text if self.reader is None else self.reader.advanced(<str>text)
            if said is not None:
                if text:
                    self._before = text
                return said
        return self._thought(text)


include "compiled_shapes.pxi"
