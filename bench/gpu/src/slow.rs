//! A subscription whose callback takes 200 ms: what it gets is right or counted as dropped.

use std::time::{Duration, Instant};

use crate::count;
use crate::gpu::Gpu;
use crate::other::Other;
use crate::queue::{DROPPED, EMPTY, LOST, OTHER_ERROR, RIGHT, WRONG};
use crate::side::Side;

const MB: usize = 1 << 20;
const GRID: [(u32, u32, u64); 10] = [
    (10, 8, 10),
    (30, 8, 10),
    (30, 5, 10),
    (30, 4, 10),
    (30, 4, 3),
    (30, 2, 10),
    (30, 1, 10),
    (60, 8, 10),
    (60, 8, 0),
    (100, 8, 5),
];

pub fn slow() {
    let seconds = count(9, 3);
    println!(
        "\n## Slow reader: callback 200–229 ms, keep-last queue, 64 MB, {seconds} s; all rows at the same time\n"
    );
    println!(
        "| Hz, depth, ms between allocating and publishing | published | right | dropped from the queue | lost | empty | **wrong** | blocks |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let rows: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = GRID
            .iter()
            .map(|row| scope.spawn(move || run(*row, seconds)))
            .collect();
        running
            .into_iter()
            .map(|running| running.join().unwrap())
            .collect()
    });
    rows.iter().for_each(|row| println!("{row}"));
}

fn run((hz, depth, pause): (u32, u32, u64), seconds: u32) -> String {
    let other = Other::start(&format!("queue {depth} 200"));
    let side = Side::new().unwrap();
    let gpu = Gpu::new();
    let reader = side.serve(&other.link);
    let (start, mut sent) = (Instant::now(), 0);
    for frame in 0..seconds * hz {
        let due = start + Duration::from_secs(1) * frame / hz;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut buffer = side.cuda.allocate_buffer(64 * MB).unwrap();
        let write = side
            .cuda
            .from_output_buffer(&mut buffer, &side.stream)
            .unwrap();
        gpu.fill(
            side.stream.handle(),
            write.address(),
            write.len(),
            frame.into(),
        );
        std::thread::sleep(Duration::from_millis(pause));
        drop(write);
        assert!(side.send(&other.link, frame.into(), &buffer, &reader));
        sent += 1;
    }
    let [right, dropped, lost, empty, wrong, errors] =
        [RIGHT, DROPPED, LOST, EMPTY, WRONG, OTHER_ERROR].map(|mark| &other.link.marks[mark]);
    other.link.stop.set(1);
    let counted =
        || right.get() + dropped.get() + lost.get() + empty.get() + wrong.get() + errors.get();
    let end = Instant::now() + Duration::from_secs(20);
    while counted() < sent && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(
        counted(),
        sent,
        "what is neither right nor counted is lost in silence"
    );
    assert_eq!(errors.get(), 0);
    let blocks = side.cuda.stats().blocks;
    format!(
        "| {hz}, {depth}, {pause} | {sent} | {} | {} | {} | {} | **{}** | {blocks} |",
        right.get(),
        dropped.get(),
        lost.get(),
        empty.get(),
        wrong.get()
    )
}
