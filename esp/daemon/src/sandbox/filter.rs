//! The filter of system calls (seccomp(2)): what is not on the list ends the process.
//!
//! Two programs are stacked, of whose verdicts the stricter counts. The first answers some calls with ENOSYS: those for
//! which libc has another way that can be judged by its arguments (clone3 keeps them in memory, where no filter can
//! look), or that it can do without. The second is the list of what is allowed; everything else gets the action of the
//! [`Mode`]. The filter holds for every thread, and for all that they start.
//!
//! Most calls are on the list whatever their arguments: the kernel decides these by a bitmap without running a program
//! (since Linux 5.11), so that the data path does not pay for the length of the list.

use std::collections::BTreeMap;
use std::{env, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

/// What becomes of a call that is not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The process ends by SIGSYS.
    #[default]
    Kill,
    /// It is done, and the kernel's audit log tells about it.
    Log,
    /// There is no filter.
    Off,
}

impl Mode {
    pub fn from_name(name: &str) -> Option<Mode> {
        match name {
            "kill" => Some(Mode::Kill),
            "log" => Some(Mode::Log),
            "off" => Some(Mode::Off),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Mode::Kill => "kill",
            Mode::Log => "log",
            Mode::Off => "off",
        }
    }
}

/// What an argument must be.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// The 32-bit value.
    Is(u64),
    /// These bits of the 64-bit value (first) are so (second).
    Bits(u64, u64),
}

/// One way in which a call is allowed: every argument named passes its test.
pub type Way = &'static [(u8, Test)];

/// A system call by its number, and the ways in which it is allowed; without any, whatever its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Call(pub libc::c_long, pub &'static [Way]);

/// A list of calls.
#[derive(Clone, Copy, Debug)]
pub struct List {
    pub allowed: &'static [&'static [Call]],
    /// Answered with ENOSYS.
    pub missing: &'static [libc::c_long],
}

/// Installs the filter in every thread of the process, for good. no_new_privs is set with it.
///
/// Errors: the kernel has no seccomp (CONFIG_SECCOMP_FILTER), or no list exists for this architecture.
pub fn install(list: &List, mode: Mode) -> io::Result<()> {
    let action = match mode {
        Mode::Kill => SeccompAction::KillProcess,
        Mode::Log => SeccompAction::Log,
        Mode::Off => return Ok(()),
    };
    let missing = list.missing.iter().map(|number| (*number, Vec::new())).collect();
    let missing = program(missing, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?;
    let mut allowed = BTreeMap::new();
    for Call(number, ways) in list.allowed.iter().copied().flatten() {
        allowed.insert(*number, ways.iter().map(|way| rule(way)).collect::<io::Result<Vec<_>>>()?);
    }
    // The first program decides about these.
    allowed.extend(list.missing.iter().map(|number| (*number, Vec::new())));
    let allowed = program(allowed, action, SeccompAction::Allow)?;
    for program in [missing, allowed] {
        apply_filter_all_threads(&program).map_err(|error| {
            io::Error::other(format!(
                "cannot restrict system calls: {error}; the kernel needs CONFIG_SECCOMP_FILTER, or start with \
                 --seccomp off"
            ))
        })?;
    }
    Ok(())
}

fn program(
    rules: BTreeMap<libc::c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, matched, architecture).map_err(io::Error::other)?;
    BpfProgram::try_from(filter).map_err(io::Error::other)
}

fn rule(way: Way) -> io::Result<SeccompRule> {
    let condition = |(argument, test): &(u8, Test)| match *test {
        Test::Is(value) => SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value),
        Test::Bits(mask, value) => {
            SeccompCondition::new(*argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)
        }
    };
    let conditions = way.iter().map(condition).collect::<Result<_, _>>().map_err(io::Error::other)?;
    SeccompRule::new(conditions).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::calls;

    #[test]
    fn names_of_modes_are_read_back() {
        for mode in [Mode::Kill, Mode::Log, Mode::Off] {
            assert_eq!(Mode::from_name(mode.name()), Some(mode));
        }
        assert_eq!(Mode::from_name("maybe"), None);
    }

    #[test]
    fn every_call_stands_on_a_list_once() {
        for list in [calls::DAEMON, calls::HELPER] {
            let allowed = list.allowed.iter().copied().flatten().map(|Call(number, _)| *number);
            let mut numbers: Vec<libc::c_long> = allowed.chain(list.missing.iter().copied()).collect();
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), count);
        }
    }
}
