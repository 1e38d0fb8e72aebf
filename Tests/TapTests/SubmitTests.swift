// What `tap submit` writes and submits, without a Slurm: its scripts run by a shell, and programs in the place of
// sbatch and scontrol. Tests/Cluster/run.sh asks a real one.

import Foundation
import Testing

@Suite struct SubmitTests {
  private let map: SharedMap
  private let programs: String

  init() throws {
    map = try SharedMap()
    programs = map.bench.file("bin")
    try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
    // `tap` is started by way of timeout.
    try FileManager.default.createSymbolicLink(
      atPath: "\(programs)/timeout", withDestinationPath: "/usr/bin/timeout")
  }

  /// Puts a shell script in the place of a program.
  private func program(_ name: String, _ lines: String) throws {
    let path = "\(programs)/\(name)"
    try "#!/bin/bash\n\(lines)\n".write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  private func submit(_ options: [String], _ command: [String]) throws -> Ran {
    try tap(
      ["submit", "--slurm", "--tasks", "2"] + options + ["--"] + command,
      after: "cd '\(map.bench.folder)'; PATH='\(programs)'")
  }

  @Test func withoutSlurm() throws {
    let ran = try submit([], map.asked + ["--out", "map.json"])
    #expect(ran.status == 1 && ran.out.isEmpty, "\(ran.out)")
    for word in [
      "no sbatch on the PATH", "map.json.sbatch", "map.json.merge.sbatch", "--shard I/2",
    ] {
      #expect(ran.err.contains(word), "\(ran.err)")
    }
    #expect(SharedMap.exists("\(map.out).sbatch") && SharedMap.exists("\(map.out).merge.sbatch"))
  }

  /// Paths with spaces, quotes and what shells and Slurm read otherwise.
  @Test func theScriptsMakeTheMap() throws {
    let out = "it's \"here\" $HOME 100%/map.json"
    let one = map.bench.file("one.json")
    try map.works(map.asked + ["--out", one])
    let ran = try submit(
      ["--write-only", "--cpus", "2", "--memory", "8G"], map.asked + ["--out", out])
    #expect(ran.status == 0 && ran.out.contains("afterany"), "\(ran.err)")
    let path = map.bench.file(out)
    let tasks = try String(contentsOfFile: "\(path).sbatch", encoding: .utf8)
    for line in ["--array=1-2", "--requeue", "--cpus-per-task=2", "--mem=8G", "--open-mode=append"]
    {
      #expect(tasks.contains("\n#SBATCH \(line)\n"), "\(tasks)")
    }
    #expect(
      tasks.contains("/it's \\\"here\\\" $HOME 100%%/map.json.task-%a.log\"\n"), "\(tasks)")
    try program("run", "cd /; bash \"$1\"")
    for index in 1...2 {
      let ran = try tap([], after: "export SLURM_ARRAY_TASK_ID=\(index); \(run(path, "sbatch"))")
      #expect(ran.status == 0 && ran.err.contains("shard \(index)/2: "), "\(ran.err)")
    }
    #expect(!SharedMap.exists(path))
    #expect(try tap([], after: run(path, "merge.sbatch")).status == 0)
    #expect(SharedMap.bytes(path) != nil && SharedMap.bytes(path) == SharedMap.bytes(one))
  }

  /// The shell's line that runs a script in place of `tap`.
  private func run(_ out: String, _ script: String) -> String {
    let quoted = "\(out).\(script)".replacingOccurrences(of: "'", with: "'\\''")
    return "cd /; exec bash '\(quoted)'"
  }

  @Test func bothJobsAreSubmitted() throws {
    try program("sbatch", "echo \"$@\" >> \(map.bench.file("calls")); echo '77;speech'")
    let ran = try submit(
      ["--partition", "long", "--sbatch=--account=a b"], map.asked + ["--out", "map.json"])
    #expect(ran.status == 0, "\(ran.err)")
    #expect(
      try String(contentsOfFile: map.bench.file("calls"), encoding: .utf8)
        == "--parsable map.json.sbatch\n--parsable --dependency=afterany:77 map.json.merge.sbatch\n"
    )
    for word in ["squeue -j 77", "scontrol requeue 77_N", "sbatch --array=N map.json.sbatch"] {
      #expect(ran.out.contains(word), "\(ran.out)")
    }
    for script in ["sbatch", "merge.sbatch"] {
      let text = try String(contentsOfFile: "\(map.out).\(script)", encoding: .utf8)
      #expect(text.contains("#SBATCH --partition=long\n#SBATCH --account=\"a b\"\n"), "\(text)")
    }
    try program("sbatch", "echo 'invalid partition' >&2; exit 1")
    let refused = try submit([], map.asked + ["--out", "map.json"])
    #expect(refused.status == 1 && refused.err.contains("invalid partition"), "\(refused.err)")
    #expect(refused.err.contains("map.json.sbatch"))
  }

  /// A task that a signal has ended goes back into the queue, three times at most; one that failed does not.
  @Test func killedTasksGoBack() throws {
    #expect(try submit(["--write-only"], map.asked + ["--out", "map.json"]).status == 0)
    let script = try String(contentsOfFile: "\(map.out).sbatch", encoding: .utf8)
    try program("killed", "kill -9 $$")
    try program("failing", "exit 3")
    try program("scontrol", "echo \"$@\" >> \(map.bench.file("calls")); exit 1")
    for (name, restarts, goesBack) in [
      ("killed", 0, true), ("killed", 2, true), ("killed", 3, false), ("failing", 0, false),
    ] {
      try? FileManager.default.removeItem(atPath: map.bench.file("calls"))
      let edited = script.replacingOccurrences(of: tapExecutable, with: "\(programs)/\(name)")
      #expect(edited != script)
      try edited.write(toFile: map.bench.file("edited"), atomically: true, encoding: .utf8)
      let ran = try tap(
        [],
        after: "export PATH='\(programs)':$PATH SLURM_ARRAY_TASK_ID=1 SLURM_JOB_ID=5 "
          + "SLURM_RESTART_COUNT=\(restarts); exec bash '\(map.bench.file("edited"))'")
      #expect(ran.status == (name == "killed" ? 137 : 3), "\(ran.status)")
      let calls = try? String(contentsOfFile: map.bench.file("calls"), encoding: .utf8)
      #expect(calls == (goesBack ? "requeue 5\n" : nil), "\(name) \(restarts)")
    }
  }

  @Test func freshForgetsWhatWasStored() throws {
    for index in 1...2 { try map.shard(index, 2) }
    let journal = map.bench.file(".map.json.shard-1-of-2.journal")
    try "old".write(toFile: journal, atomically: true, encoding: .utf8)
    let ran = try submit(["--write-only"], map.asked + ["--out", "map.json", "--fresh"])
    #expect(ran.status == 0, "\(ran.err)")
    for path in [map.path(1, 2), map.path(2, 2), journal] { #expect(!SharedMap.exists(path)) }
    // Otherwise a task that goes back would begin anew.
    #expect(try !String(contentsOfFile: "\(map.out).sbatch", encoding: .utf8).contains("--fresh"))
  }

  @Test func badInput() throws {
    let good = map.asked + ["--out", map.out]
    func refused(_ options: [String], _ command: [String], _ words: String...) throws {
      let ran = try submit(options, command)
      #expect(ran.status > 0 && ran.out.isEmpty, "\(ran.out)")
      for word in words { #expect(ran.err.contains(word), "\(ran.err)") }
      #expect(!SharedMap.exists("\(map.out).sbatch"))
    }
    try refused(["--memory", "much"], good, "--memory much", "8G")
    try refused(["--time", "soon"], good, "--time soon", "4:00:00")
    try refused(["--partition", "a b"], good, "--partition a b")
    try refused(["--cpus", "0"], good, "--cpus should be 1 or more")
    try refused(["--tasks", "0"], good, "--tasks")
    try refused(["--sbatch", "account"], good, "--sbatch account")
    try refused([], [], "map and its options")
    try refused([], ["search"] + good.dropFirst(), "map and its options")
    try refused([], good + ["--shard", "1/2"], "leave --shard out")
    try refused([], good + ["--step", "4"], "--step")
    try refused([], map.asked, "--out")
    var model = good
    model[2] = map.bench.file("absent")
    try refused([], model, "absent/config.json")
    var list = good
    list[4] = map.bench.file("absent.json")
    try refused([], list, "absent.json")
    try map.bench.refuses(["submit", "--tasks", "2", "--"] + good, "--slurm")
  }
}

/// Jobs of a real Slurm on this host, where Debian's packages are installed.
@Suite struct ClusterTests {
  private static let canStart =
    geteuid() == 0
    && ["slurmctld", "slurmd", "munged", "sbatch"].allSatisfy { name in
      ["/usr/sbin", "/usr/bin"].contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
      }
    }

  @Test(
    .enabled(
      if: canStart,
      "no slurmctld, slurmd, slurm-client and munge to start as root; make test-cluster installs them"
    ),
    .timeLimit(.minutes(10)))
  func onARealSlurm() throws {
    let script = Broken.root.appendingPathComponent("Tests/Cluster/run.sh").path
    // Other tests run meanwhile, so that its times say nothing.
    let said = try SharedMap.shell("BUSY=1 '\(script)' '\(tapExecutable)' 2>&1")
    let last = said.split(separator: "\n").last ?? ""
    // Where its daemons cannot be started it says so.
    #expect(last.hasSuffix(" passed, 0 failed") || last.hasPrefix("cluster: SKIPPED"), "\(said)")
  }
}
