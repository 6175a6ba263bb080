//! What this machine is: its system, its cores, its memory.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What a machine has to offer. Anything that it does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Name and version of its system.
    pub system: Option<String>,
    /// Cores that this process may use.
    pub cores: Option<usize>,
    pub memory_bytes: Option<u64>,
    /// What of its memory programs could still get.
    pub available_bytes: Option<u64>,
}

impl Machine {
    /// Looks at the machine that this process runs on.
    pub fn look() -> Self {
        let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let seen = System::new_with_specifics(memory).ok();
        let told = |bytes: fn(&System) -> u64| seen.as_ref().map(bytes).filter(|bytes| *bytes > 0);
        Self {
            system: System::long_os_version().ok(),
            cores: std::thread::available_parallelism().ok().map(usize::from),
            memory_bytes: told(System::total_memory),
            available_bytes: told(System::available_memory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_system_cores_and_memory() {
        let machine = Machine::look();
        assert!(machine.system.is_some_and(|system| !system.is_empty()));
        assert!(machine.cores.is_some_and(|cores| cores > 0));
        assert!(machine.memory_bytes > machine.available_bytes);
        assert!(machine.available_bytes > Some(1_000_000));
    }
}
