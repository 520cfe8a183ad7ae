"""How the compiled automaton goes on: states are made of sorted arrays of positions, as masking.core.automaton makes
them of sets. Included by compiled.pyx.
"""

cdef enum:
    MOST_CLASSES = 2048
    TAKEN = 4
    MOST_HELD = 6  # groups, as in masking.core.automaton
    ACCEPTING = 1
    VALUED = 2
    EVERY_DIGIT = 4
    SOME_DIGITS = 8

cdef unsigned int _STATES = 0


cdef class Known:
    """What a state knows of how it goes on: by class of character, the edge; and its positions, as `Classes.key`."""

    cdef void** table  # into `edges`
    cdef int size
    cdef list edges
    cdef bytes key
    cdef object positions
    cdef int digits_alike
    cdef unsigned int id
    cdef public Py_ssize_t bound
    cdef public bint open
    cdef public int word

    def __cinit__(self, *_):
        global _STATES
        _STATES += 1
        self.id = _STATES
        self.digits_alike = -1

    def __dealloc__(self):
        PyMem_Free(self.table)

    def unfolded(self):
        """Its groups, what is unheld, whether it is exact, and whose positions they are."""
        numbers = array("i", self.key)
        groups, at = [], 4 + numbers[0]
        for size in numbers[4:at]:
            groups.append(frozenset(numbers[at : at + size]))
            at += size
        return tuple(groups), frozenset(numbers[at:]), bool(numbers[2]), self.positions

    cdef int note(self, int number, Edge edge) except -1:
        cdef void** table = self.table
        if number >= self.size:
            table = <void**>PyMem_Realloc(table, (number + 8) * sizeof(void*))
            if table == NULL:
                raise MemoryError
            for at in range(self.size, number + 8):
                table[at] = NULL
            self.table, self.size = table, number + 8
        if self.edges is None:
            self.edges = []
        self.edges.append(edge)
        table[number] = <void*>edge


cdef class Edge:
    """One character on, as masking.core.state.Step."""

    cdef Known state
    cdef int count
    cdef int kept[MOST_GROUPS]
    cdef bint same
    cdef object touched


cdef class Numbers:
    """An array of positions."""

    cdef int* at
    cdef int size

    def __cinit__(self, numbers):
        self.size = len(numbers)
        self.at = <int*>PyMem_Calloc(self.size + 1, sizeof(int))
        if self.at == NULL:
            raise MemoryError
        for place, number in enumerate(numbers):
            self.at[place] = number

    def __dealloc__(self):
        PyMem_Free(self.at)


cdef class Net:
    """The positions of some patterns as arrays; see masking.core.positions.Positions."""

    cdef object positions
    cdef int size
    cdef list follow  # Numbers, made when they are first looked at
    cdef Numbers owner, depths, reached, unheld, ended
    cdef bytearray flags
    cdef unsigned int* alive  # a position is alive where this is the turn; so with those that begin, and that are unheld
    cdef unsigned int* begins
    cdef unsigned int* unheld_at
    cdef unsigned int turn
    cdef dict rows

    def __cinit__(self, positions):
        cdef int at
        self.positions, self.size = positions, len(positions.owner)
        self.follow, self.rows = [None] * self.size, {}
        self.owner, self.depths = Numbers(positions.owner), Numbers(positions.depths)
        self.reached, self.unheld = Numbers([0] * self.size), Numbers([0] * self.size)
        self.ended = Numbers([0] * (2 * self.size))
        self.alive = <unsigned int*>PyMem_Calloc(self.size + 1, sizeof(int))
        self.begins = <unsigned int*>PyMem_Calloc(self.size + 1, sizeof(int))
        self.unheld_at = <unsigned int*>PyMem_Calloc(self.size + 1, sizeof(int))
        if self.alive == NULL or self.begins == NULL or self.unheld_at == NULL:
            raise MemoryError
        self.flags = bytearray(self.size + 1)
        digits = [positions.taking(digit) for digit in "0123456789"]
        every = digits[0].intersection(*digits)
        some = digits[0].union(*digits) - every
        for members, flag in (
            (positions.accepting, ACCEPTING), (positions.valued, VALUED), (every, EVERY_DIGIT), (some, SOME_DIGITS)
        ):
            for at in members:
                self.flags[at] |= flag

    def __dealloc__(self):
        PyMem_Free(self.alive)
        PyMem_Free(self.begins)
        PyMem_Free(self.unheld_at)

    cdef Numbers following(self, int position):
        made = self.follow[position]
        if made is None:
            made = self.follow[position] = Numbers(self.positions.follow[position])
        return <Numbers>made

    cdef bytes row(self, taken):
        """A bit for each position: whether it is one of these."""
        known = self.rows.get(taken)
        if known is None:
            made = bytearray(self.size // 8 + 1)
            for position in taken:
                made[position >> 3] |= 1 << (position & 7)
            known = self.rows[taken] = bytes(made)
        return known


cdef class Class:
    """Characters that are never told apart: which positions take them, and which begin with them behind what."""

    cdef object taken
    cdef bytes exactly, loosely
    cdef bint is_loose, held
    cdef int word
    cdef list begun  # by the kind of the character before: Numbers that are held, not held, held where loosely taken


cdef class Classes:
    """The characters that an automaton does not tell apart, by number; 0xFFFF for those that are left to Python."""

    cdef unsigned short ascii[128]
    cdef unsigned short* pages[256]
    cdef unsigned char kinds[MOST_CLASSES]  # 1 to 3 for the signs `.` `,` `-`; and TAKEN, if any pattern takes them
    cdef dict far, states
    cdef list classes
    cdef object automaton
    cdef Net net
    cdef bint loose
    cdef int telling[5]

    def __cinit__(self, automaton, Net net, bint loose):
        self.automaton, self.net, self.loose = automaton, net, loose
        self.far, self.states, self.classes = {}, {}, [None]
        self.telling = [-1, -1, -1, -1, -1]

    def __dealloc__(self):
        for page in self.pages:
            PyMem_Free(page)

    @property
    def size(self):
        """How many states are known."""
        return len(self.states)

    def forget(self):
        """All states."""
        self.states = {}

    cdef int of(self, unsigned int character) except -1:
        cdef unsigned short* page
        cdef int number
        if character < 128:
            number = self.ascii[character]
            if number == 0:
                number = self.ascii[character] = self.classify(character)
            return number
        if character > 0xFFFF:
            known = self.far.get(character)
            if known is None:
                known = self.classify(character)
                if len(self.far) < MOST_CLASSES:
                    self.far[character] = known
            return known
        page = self.pages[character >> 8]
        if page == NULL:
            page = self.pages[character >> 8] = <unsigned short*>PyMem_Calloc(256, sizeof(unsigned short))
            if page == NULL:
                raise MemoryError
        number = page[character & 255]
        if number == 0:
            number = page[character & 255] = self.classify(character)
        return number

    cdef int classify(self, unsigned int character) except -1:
        cdef Class made
        number, sign, taken, held = self.automaton.classified(chr(character))
        if not 0 < number < MOST_CLASSES:
            return ODD
        self.kinds[number] = sign | (TAKEN if taken.exactly else 0)
        while number >= len(self.classes):
            self.classes.append(None)
        if self.classes[number] is None:  # the thread that was told of the number first may be waiting
            made = Class.__new__(Class)
            made.taken, made.word, made.held = taken, taken.word, held
            made.is_loose = taken.exactly is not taken.loosely
            made.exactly, made.loosely = self.net.row(taken.exactly), self.net.row(taken.loosely)
            made.begun = [None] * 5
            self.classes[number] = made
        return number

    cdef void* learn(self, Known state, unsigned int character, int number) except NULL:
        """The edge of a character that has not come in this state before."""
        cdef Edge edge
        cdef int zero
        if self.loose and 48 < character <= 57 and self.takes_digits_alike(state):
            zero = self.of(48)
            if zero < state.size and state.table[zero] != NULL:
                edge = <Edge>state.table[zero]
            else:
                edge = self.stepped(state, zero)
                if zero != number:
                    state.note(zero, edge)
        else:
            edge = self.stepped(state, number)
        state.note(number, edge)
        return <void*>edge

    cdef bytes key(self, Known state):
        """[groups, kind of the last character, exact, unheld], the size of each group, and all positions, sorted."""
        cdef list numbers
        if state.key is None:
            numbers = [len(state.groups), state.word, int(state.exact), len(state.unheld)]
            numbers += [len(group) for group in state.groups]
            for group in (*state.groups, state.unheld):
                numbers += sorted(group)
            state.key = array("i", numbers).tobytes()
            self.states.setdefault(state.key, state)
        return state.key

    cdef bint takes_digits_alike(self, Known state) except -1:
        """As Automaton._takes_digits_alike."""
        cdef bytes known
        cdef int* key
        cdef int at, other, total = 0, first
        cdef bint every = False, some
        cdef unsigned char flag
        cdef Numbers following
        if state.digits_alike < 0:
            known = self.key(state)
            key = <int*><char*>known
            if self.telling[state.word] < 0:
                self.telling[state.word] = self.automaton.tells_digits_before_values(state.word)
            some = self.telling[state.word]
            first = key[4] if key[0] else 0
            for at in range(key[0]):
                total += key[4 + at]
            for at in range(total + key[3]):
                if first <= at < total:
                    continue
                following = self.net.following(key[4 + key[0] + at])
                for other in range(following.size):
                    flag = self.net.flags[following.at[other]]
                    every = every or (at < first and flag & EVERY_DIGIT)
                    some = some or flag & SOME_DIGITS
            state.digits_alike = every and not some
        return state.digits_alike

    def step(self, Known state not None, str character not None):
        """What `Automaton.step` says, without whether it is the same; None for what is left to Python."""
        cdef int number = self.of(ord(character))
        cdef Edge edge
        if number == ODD:
            return None
        edge = <Edge>self.learn(state, ord(character), number)
        return edge.state, tuple([edge.kept[at] for at in range(edge.count)]), edge.touched or frozenset()

    cdef list begins(self, Class one, int word):
        if one.begun[word] is None:
            exactly = self.automaton._begins(one.taken.exactly, word, one.held)
            loosely = self.automaton._begins(one.taken.loosely, word, one.held)
            one.begun[word] = [Numbers(exactly[0]), Numbers(exactly[1]), Numbers(loosely[0])]
        return one.begun[word]

    cdef Edge stepped(self, Known state, int number):
        """As Automaton._stepped."""
        cdef Class one = self.classes[number]
        cdef list begins = self.begins(one, state.word)
        cdef Numbers begun = begins[0], begun_unheld = begins[1], following
        cdef Net net = self.net
        cdef bytes known = self.key(state)
        cdef int* key = <int*><char*>known
        cdef int* members = key + 4 + key[0]
        cdef int* reached = net.reached.at
        cdef int* unheld = net.unheld.at
        cdef int* ends_at = net.ended.at
        cdef int ends[MOST_GROUPS + 1]
        cdef int group, at, other, position, first, used = 0, made = 0, unholds = 0, old
        cdef const unsigned char* exactly = <const unsigned char*><char*>one.exactly
        cdef const unsigned char* row = exactly
        cdef unsigned char* flags = <unsigned char*><char*>net.flags
        cdef unsigned int turn
        cdef Edge edge = Edge.__new__(Edge)
        cdef bint exact, surely
        cdef bytes ended

        # From here to the key nothing is asked of Python, nor made that could set its collector off: other threads would
        # be let in, and these arrays are shared.
        for at in range(sum_of(key)):
            net.following(members[at])
        net.turn += 1
        turn = net.turn
        for group in range(key[0]):
            first = used
            for at in range(key[4 + group]):
                following = net.following(members[at])
                for other in range(following.size):
                    position = following.at[other]
                    if row[position >> 3] >> (position & 7) & 1 and net.alive[position] != turn:
                        net.alive[position] = turn
                        reached[used] = position
                        used += 1
            members += key[4 + group]
            row = <const unsigned char*><char*>one.loosely
            if used > first:
                edge.kept[made] = group
                ends[made] = used
                made += 1
        exact = not self.loose or not made or (key[2] and edge.kept[0] == 0)
        old = made

        # What begins, and what goes on without having identified anything.
        if made and one.is_loose:
            begun = begins[2]
        first = used
        for at in range(begun.size):
            position = begun.at[at]
            net.begins[position] = turn
            if net.alive[position] != turn:
                net.alive[position] = turn
                reached[used] = position
                used += 1
        for at in range(begun_unheld.size):
            position = begun_unheld.at[at]
            if net.unheld_at[position] != turn:
                net.unheld_at[position] = turn
                unheld[unholds] = position
                unholds += 1
        for at in range(key[3]):
            following = net.following(members[at])
            for other in range(following.size):
                position = following.at[other]
                if not exactly[position >> 3] >> (position & 7) & 1:
                    continue
                if one.held and flags[position] & VALUED:
                    if net.alive[position] != turn:
                        net.alive[position] = turn
                        reached[used] = position
                        used += 1
                elif net.unheld_at[position] != turn and not (one.held and net.begins[position] == turn):
                    net.unheld_at[position] = turn
                    unheld[unholds] = position
                    unholds += 1
        if used > first:
            if made < MOST_HELD:
                edge.kept[made] = -1
                made += 1
            ends[made - 1] = used  # else as if it had begun earlier: waits longer, misses nothing

        other = 0
        for at in range(unholds):
            if flags[unheld[at]] & ACCEPTING:
                ends_at[other] = net.owner.at[unheld[at]]
                other += 1
        for at in range(used):
            position = reached[at]
            if flags[position] & ACCEPTING:
                surely = old == 0 or (exact and at < ends[0]) or net.unheld_at[position] == turn
                ends_at[other] = net.owner.at[position] if surely else -1 - net.owner.at[position]
                other += 1
        ended = PyBytes_FromStringAndSize(<char*>ends_at, other * sizeof(int)) if other else None
        at = 0
        for group in range(unholds):
            if net.alive[unheld[group]] != turn:
                unheld[at] = unheld[group]
                at += 1
        known = self.reached(made, ends, at, one.word, exact)

        edge.touched = None if ended is None else frozenset(array("i", ended))
        edge.count = made
        edge.same = made == key[0]
        for group in range(made):
            edge.same = edge.same and edge.kept[group] == group
        edge.state = self.state_of(known)
        return edge

    cdef bytes reached(self, int groups, int* ends, int unholds, int word, bint exact):
        """The key of what was reached."""
        cdef int* reached = self.net.reached.at
        cdef int* unheld = self.net.unheld.at
        cdef int group, start = 0, size = 4 + groups, total = ends[groups - 1] if groups else 0
        cdef bytes key = PyBytes_FromStringAndSize(NULL, (size + total + unholds) * sizeof(int))
        cdef int* numbers = <int*><char*>key
        numbers[0], numbers[1], numbers[2], numbers[3] = groups, word, exact, unholds
        for group in range(groups):
            qsort(reached + start, ends[group] - start, sizeof(int), &_by_number)
            numbers[4 + group] = ends[group] - start
            start = ends[group]
        qsort(unheld, unholds, sizeof(int), &_by_number)
        memcpy(numbers + size, reached, total * sizeof(int))
        memcpy(numbers + size + total, unheld, unholds * sizeof(int))
        return key

    cdef Known state_of(self, bytes key):
        cdef int* numbers = <int*><char*>key
        cdef int at
        cdef Known state
        known = self.states.get(key)
        if known is None:
            self.automaton.make_room(len(self.states))
            kind = type(self.automaton.idle)
            state = kind.__new__(kind)
            state.key, state.positions, state.word = key, self.net.positions, numbers[1]
            state.open = numbers[0] or numbers[3]
            for at in range(sum_of(numbers) - numbers[3]):
                state.bound = max(state.bound, self.net.depths.at[numbers[4 + numbers[0] + at]])
            self.states[key] = known = state
        return <Known>known


cdef int sum_of(int* key) noexcept:
    """How many positions a key has."""
    cdef int total = key[3]
    for at in range(key[0]):
        total += key[4 + at]
    return total


cdef int _by_number(const void* one, const void* other) noexcept nogil:
    return (<int*>one)[0] - (<int*>other)[0]


