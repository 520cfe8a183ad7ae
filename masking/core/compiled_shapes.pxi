"""The shapes of values, as masking.core.plain walks them: a text's path is the bytes of where it leads, character by
character. Included by compiled.pyx.
"""


cdef class Shaped:
    """As masking.core.plain.Shaped."""

    cdef public object _automaton, _parts, _ranks, _said, _untold
    cdef public bint _lettered
    cdef public int _rest, _trust, _patience
    cdef Classes classes
    cdef dict ends

    def __init__(self, automaton, parts, ranks, said, bint lettered):
        self._automaton, self._parts, self._ranks, self._said, self._lettered = automaton, parts, ranks, said, lettered
        self.classes = automaton.classes
        self.ends = {}

    cdef bytes path(self, Known start, str text, Py_ssize_t first, unsigned int one, unsigned int other):
        cdef unsigned int made[2 + 2 * (LONGEST_SHAPE + REACH + 2)]
        cdef int used = 2, number, kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef unsigned int character
        cdef Classes classes = self.classes
        cdef void* state = <void*>start  # borrowed, as in Reader.advanced
        cdef void* edge
        made[0], made[1] = one, other
        for at in range(first, PyUnicode_GET_LENGTH(text)):
            character = PyUnicode_READ(kind, data, at)
            number = classes.of(character)
            if number == ODD:
                return None
            edge = (<Known>state).table[number] if number < (<Known>state).size else NULL
            if edge == NULL:
                edge = classes.learn(<Known>state, character, number)
            state = <void*>(<Edge>edge).state
            if character < 128 or not ((<Known>state).open or (self._lettered and (<Known>state).word)):
                made[used] = (<Known>state).id << 2 | (classes.kinds[number] & 3)
            else:  # in a match, or a letter that engines may disagree about: it stands for itself
                made[used] = (<Known>state).id << 2
                used += 1
                made[used] = character | 0x80000000
            used += 1
        return PyBytes_FromStringAndSize(<char*>made, used * sizeof(unsigned int))

    def find(self, str before, str text, Py_ssize_t matched, Py_ssize_t hold=0, Py_ssize_t until=0):
        """As `masking.core.plain.Shaped.find`."""
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(before), at = size
        cdef int number, kind = PyUnicode_KIND(before)
        cdef void* data = PyUnicode_DATA(before)
        cdef bint free = False
        cdef str whole = text
        cdef list made = [], known
        if self._rest:
            self._rest -= 1
            return None
        if PyUnicode_GET_LENGTH(text) > LONGEST_SHAPE:
            return None
        while at and not free:
            at -= 1
            number = self.classes.of(PyUnicode_READ(kind, data, at))
            free = number != ODD and not self.classes.kinds[number] & TAKEN
            if not free and size - at > REACH:
                return None
        if matched > (at + 1 if free else 0):
            return None
        if size:
            whole = before[at:] + text
            size -= at
        path = self.path(self._automaton.idle, whole, 0, size, 0)
        if path is None:
            return None
        known = self.ends.get(path)
        if known is None:
            if len(self.ends) >= MOST_PATHS:
                self.ends = {}
            known = self.ends[path] = self._learned(whole, size)
        elif self._trust < TRUST:
            self._trust += 1
        for end in known:
            number, found = end
            if made and hold and not self._said[number]:
                if made[0].rank <= self._ranks[number] and fills(made[0], text, hold, until):
                    continue
            if type(found) is not list:
                found = self._answered(end, whole, size)
            if found is self._untold:
                return None
            made += found
        return made


cdef class Beginning(Shaped):
    """As `find`, of one pattern, for the match with which a text begins."""

    cdef list starts

    def first(self, str before, str text):
        """What is made of that match; None where the shape does not tell, or there is none."""
        cdef Py_ssize_t lead = 0, size = PyUnicode_GET_LENGTH(text)
        cdef int one, other, word
        cdef str near
        if size > LONGEST_SHAPE:
            return None
        while lead < size and text[lead] == " ":
            lead += 1
        near = before + text[:lead]
        near = near[max(len(near) - 2, 0) :]
        if has_odd(self.classes, near):
            return None
        if before and ord(before[len(before) - 1]) > 127 and not 0x4E00 <= ord(before[len(before) - 1]) <= 0x9FFF:
            return None  # a full-width sign with which the match begins may have been said
        one = self.classes.of(ord(near[len(near) - 1])) if near else 0
        other = self.classes.of(ord(near[0])) if len(near) == 2 else 0
        word = (<Class>self.classes.classes[one]).word if one else 0
        if self.starts is None:
            self.starts = [None] * 5
        if self.starts[word] is None:
            self.starts[word] = self._automaton.start(word)
        path = self.path(self.starts[word], text, lead, other << 16 | one, lead)
        if path is None:
            return None
        known = self.ends.get(path)
        if known is None:
            if len(self.ends) >= MOST_PATHS:
                self.ends = {}
            known = self.ends[path] = self._begun(before, text, lead)
        if not known:
            return None
        begun, stop, found = known
        accept = self._parts[0][1]
        return found if accept is None or accept(text[begun:stop]) else None
