//! Generations: which charon process an SA or policy belongs to.
//!
//! A process has several connections; its generation begins with the first and ends with the last. A process id that
//! comes back later is another process and gets another generation, which is why the pid itself would not do.

use std::collections::BTreeMap;

/// Later processes have larger values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

/// The generations with open connections.
#[derive(Clone, Debug, Default)]
pub struct Generations {
    begun: u64,
    connected: BTreeMap<i32, (Generation, usize)>,
}

impl Generations {
    /// A process opened a connection. Returns its generation and whether that has just begun.
    pub fn joined(&mut self, pid: i32) -> (Generation, bool) {
        if let Some((generation, connections)) = self.connected.get_mut(&pid) {
            *connections += 1;
            return (*generation, false);
        }
        self.begun += 1;
        let generation = Generation(self.begun);
        self.connected.insert(pid, (generation, 1));
        (generation, true)
    }

    /// A connection of the process ended. Returns its generation if that was the last one.
    pub fn left(&mut self, pid: i32) -> Option<Generation> {
        let (generation, connections) = self.connected.get_mut(&pid)?;
        *connections -= 1;
        let ended = (*connections == 0).then_some(*generation);
        if ended.is_some() {
            self.connected.remove(&pid);
        }
        ended
    }

    /// Whether the process is there; what belongs to others are orphans.
    pub fn is_connected(&self, generation: Generation) -> bool {
        self.connected.values().any(|(connected, _)| *connected == generation)
    }

    pub fn count(&self) -> usize {
        self.connected.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_lasts_as_long_as_any_connection_of_its_process() {
        let mut generations = Generations::default();
        let (first, begun) = generations.joined(100);
        assert!(begun);
        assert_eq!(generations.joined(100), (first, false));
        assert_eq!(generations.left(100), None);
        assert!(generations.is_connected(first));
        assert_eq!(generations.left(100), Some(first));
        assert!(!generations.is_connected(first));
    }

    #[test]
    fn a_pid_that_comes_back_is_another_generation() {
        let mut generations = Generations::default();
        let (first, _) = generations.joined(100);
        generations.left(100);
        let (second, begun) = generations.joined(100);
        assert!(begun && second > first);
    }

    #[test]
    fn two_processes_are_two_generations() {
        let mut generations = Generations::default();
        let (first, _) = generations.joined(100);
        let (second, _) = generations.joined(200);
        assert_eq!(generations.count(), 2);
        generations.left(100);
        assert!(!generations.is_connected(first) && generations.is_connected(second));
        assert_eq!(generations.left(300), None);
    }
}
