// What the system does not give: memory, room in a file. `tap` says so in one line and ends with a
// status above 0, without waiting, without a trace and without half a file.

import Foundation
import JSON
import Testing

@Suite struct LimitTests {
  let folder: String

  init() throws {
    folder =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("tap-limits-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func scratch<T>(_ body: () throws -> T) rethrows -> T {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body()
  }

  private func path(_ name: String) -> String { Broken.root.appendingPathComponent(name).path }

  /// The arguments of a map and its figure, of so many pairs.
  private func map(_ pairs: Int) -> [String] {
    [
      "map", "--model", path("artifacts/qwen2-audio-small"), "--pairs",
      path("data-manifests/evaluation.json"), "--split", "discovery", "--limit", "\(pairs)",
      "--sites", "residual", "--out", "\(folder)/map.json", "--figure", "\(folder)/map.pdf",
    ]
  }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? ["no folder"]).sorted()
  }

  /// In kB: below what OpenBLAS asks for, which it did for ever; where memory ends in the middle;
  /// and enough for one thread.
  @Test(
    .timeLimit(.minutes(2)),
    arguments: [200_000, 250_000, 280_000, 285_000, 290_000, 310_000, 400_000, 500_000, 650_000])
  func memory(_ limit: Int) throws {
    try scratch {
      let ran = try tap(map(2), after: "ulimit -v \(limit)")
      let shown: Comment = "\(limit): \(ran.status) \(ran.out)\(ran.err)"
      if ran.status == 0 {
        #expect(limit > 280_000, shown)
        #expect(files == ["map.json", "map.pdf"], shown)
        return
      }
      #expect(ran.status == 71, shown)
      let lines = ran.err.split(separator: "\n")
      #expect(lines.count == 1, shown)
      let message = /^tap: out of memory: .*\b\d{3,} bytes more.*(free|allow) .*ulimit -v/
      #expect(lines.last?.contains(message) == true, shown)
      #expect(files.allSatisfy { $0 == ".map.json.journal" }, shown)
      #expect(limit < 650_000, shown)
    }
  }

  /// Whether the program is started with the variables of the determinism contract or without.
  @Test(.timeLimit(.minutes(1))) func memoryBeforeTheStart() throws {
    try scratch {
      let unset = "unset OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS MALLOC_MMAP_THRESHOLD_; "
      let ran = try tap(map(1), after: unset + "ulimit -v 230000")
      #expect(ran.status == 71, "\(ran.status) \(ran.err)")
      #expect(ran.err.hasPrefix("tap: out of memory: "), "\(ran.err)")
      #expect(ran.err.split(separator: "\n").count == 1, "\(ran.err)")
    }
  }

  /// A table of pairs that does not fit; nothing but Swift's own arrays is asked for.
  @Test(.timeLimit(.minutes(1))) func memoryOfArrays() throws {
    try scratch {
      let line = String(repeating: "a", count: 1 << 20) + ",b,c,d,e\n"
      let table =
        "audio_clean,audio_corrupt,prompt,answer,foil\n" + String(repeating: line, count: 64)
      try Data(table.utf8).write(to: URL(fileURLWithPath: "\(folder)/pairs.csv"))
      let ran = try tap(
        ["pairs", "--table", "\(folder)/pairs.csv", "--out", "\(folder)/pairs.json"],
        after: "ulimit -v 330000")
      #expect(ran.status == 71, "\(ran.status) \(ran.err.prefix(300))")
      #expect(ran.err.split(separator: "\n").count == 1, "\(ran.err.prefix(300))")
      #expect(ran.err.contains("out of memory: "), "\(ran.err.prefix(300))")
      #expect(files == ["pairs.csv"])
    }
  }

  /// In kB: too little for the journal, for the map, for its figure.
  @Test(arguments: [0, 1, 20]) func sizeOfAFile(_ limit: Int) throws {
    try scratch {
      let ran = try tap(map(1), after: "ulimit -f \(limit)")
      #expect(ran.status == 1, "\(ran.status) \(ran.err)")
      #expect(ran.err.hasSuffix("File too large\n"), "\(ran.err)")
      #expect(!ran.err.contains("NSCocoaErrorDomain"), "\(ran.err)")
      #expect(
        files.allSatisfy { $0 == ".map.json.journal" || $0 == "map.json" }, "\(files)")
      if limit == 1 { #expect(files == [".map.json.journal"]) }
    }
  }

  @Test func printingThatDoesNotArrive() throws {
    try scratch {
      let inspect = ["inspect", "--model", path("artifacts/qwen2-audio-small")]
      let full = try tap(inspect, after: "exec > /dev/full")
      #expect(full.status == 1 && full.err.hasSuffix("whole: No space left on device\n"), "\(full)")
      let small = try tap(inspect, after: "exec > \(folder)/out; ulimit -f 0")
      #expect(small.status == 1 && small.err.hasSuffix("whole: File too large\n"), "\(small)")
    }
  }
}
