//! Work that takes longer than others on a thread of the runtime should wait for: it is done where it stands, on data that
//! stay where they are, while another thread takes over what else is due.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does some work whose amount (bytes, objects) is known: aside, if that is more than `most`.
pub fn beyond<T>(most: usize, amount: usize, work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) if amount > most => tokio::task::block_in_place(work),
        // A runtime of one thread has nobody else to take over.
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a single worker: what is beyond goes on only if that worker's other tasks have been taken over meanwhile.
    #[test]
    fn others_go_on_while_something_large_is_done() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let large = async move { beyond(10, 11, move || receiver.recv().unwrap()) };
        let done = runtime.block_on(async {
            let large = tokio::spawn(large);
            tokio::spawn(async move { sender.send("done").unwrap() }).await.unwrap();
            large.await.unwrap()
        });
        assert_eq!(done, "done");
        assert_eq!(beyond(10, 11, || 1), 1, "without a runtime");
    }
}
