import gc

from outbox import SEGMENT_SIZE, Outbox


def ten_thousand_cycles_need_no_more_heap():
    box = Outbox("box", 4 * SEGMENT_SIZE, lambda: 7)
    marks = []
    for _ in range(10):
        for number in range(1000):
            box.take(b"%05d" % number * 20)
            if number % 3:
                position = box.fetch()
                assert box.read(position)
                if number % 5:
                    box.settle(position)
                else:
                    box.reject(position, b"x")
            if number % 10 == 0:
                box.save()
        for position in list(box.open):
            box.settle(position)
        gc.collect()
        marks.append(gc.mem_alloc())
    assert max(marks[1:]) - marks[0] < 512, marks
