// A map that several tasks share: its files are those of one process to the byte, whatever their number, their
// order and their ends, and what does not belong together is not merged.

import Foundation
import JSON
import Testing

/// A folder for shards of a map and of the same map by one process.
struct SharedMap {
  let bench: Bench
  /// What is asked, but for where it is written.
  var asked: [String]

  /// A map of a second.
  static let small = [
    "--limit", "1", "--sites", "connector.out", "--windows", "whole", "--exact-only",
  ]

  init(_ more: [String] = SharedMap.small) throws {
    bench = try Bench()
    asked =
      ["map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery"] + more
  }

  var out: String { bench.file("map.json") }

  func path(_ index: Int, _ count: Int) -> String { "\(out).shard-\(index)-of-\(count)" }

  func command(_ index: Int, _ count: Int, _ more: [String] = []) -> [String] {
    asked + ["--out", out] + more + ["--shard", "\(index)/\(count)"]
  }

  /// Runs a command, which must end well.
  @discardableResult func works(_ arguments: [String]) throws -> String {
    let ran = try tap(arguments)
    try #require(ran.status == 0, "\(arguments.joined(separator: " ")): \(ran.err)")
    return ran.out
  }

  func shard(_ index: Int, _ count: Int, _ more: [String] = []) throws {
    try works(command(index, count, more))
  }

  func merge(_ indices: [Int], _ count: Int) throws {
    try works(["merge"] + indices.map { path($0, count) })
  }

  static func bytes(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  static func shell(_ line: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", line]
    let out = Pipe()
    process.standardOutput = out
    try process.run()
    let said = out.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

@Suite struct ShardTests {
  /// Controls, a search, a figure and a page with what the model says.
  private static let whole = [
    "--limit", "4", "--sites", "connector.out,lm.1.resid_post,lm.3.resid_post", "--windows",
    "time:320", "--text", "1", "--control", "--shift", "80", "--jitter", "20",
  ]
  private static let outputs = ["map.json", "map.svg", "page.json"]

  private func files(_ map: SharedMap, _ prefix: String = "") -> [String] {
    [
      "--out", map.bench.file(prefix + "map.json"), "--figure", map.bench.file(prefix + "map.svg"),
      "--explorer", map.bench.file(prefix + "page.json"),
    ]
  }

  /// Whole pairs, divided ones and shards of single rows; the one of one is killed on its way.
  @Test func theBytesAreThoseOfOneProcess() throws {
    let map = try SharedMap(Self.whole)
    try map.works(map.asked + files(map, "one-"))
    let kept = try JSON(
      parsing: [UInt8](#require(SharedMap.bytes(map.bench.file("one-map.json")))), name: "map")
    // Of two, three and five shards some pairs are divided, of the five all.
    #expect(kept.at("pairs_kept").elements?.count == 4)
    for count in [1, 2, 3, 5] {
      var order = Array(1...count)
      if count == 3 { order.reverse() }
      for index in order {
        let command = map.asked + files(map) + ["--shard", "\(index)/\(count)"]
        if count == 1 { try killInTheMiddle(command, map.path(1, 1)) }
        try map.works(command)
        #expect(SharedMap.exists(map.path(index, count)))
      }
      for name in Self.outputs { #expect(!SharedMap.exists(map.bench.file(name)), "\(name)") }
      try map.merge(count == 5 ? [4, 1, 5, 3, 2] : order, count)
      for name in Self.outputs {
        let merged = SharedMap.bytes(map.bench.file(name))
        #expect(
          merged != nil && merged == SharedMap.bytes(map.bench.file("one-" + name)),
          "\(name) of \(count)")
        try? FileManager.default.removeItem(atPath: map.bench.file(name))
      }
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: map.bench.folder)
    #expect(left.filter { $0.hasPrefix(".") } == [], "journals or temporary files stay")
  }

  /// Kills a task when it has stored something, and leaves behind what one that writes would.
  private func killInTheMiddle(_ command: [String], _ path: String) throws {
    let (folder, name) = (
      (path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent
    )
    let journal = "\(folder)/.\(name).journal"
    let said = try SharedMap.shell(
      """
      "$0" \(command.map { "'\($0)'" }.joined(separator: " ")) > /dev/null 2>&1 &
      for i in {1..600}; do
        [ "$(stat -c %s '\(journal)' 2> /dev/null || echo 0)" -gt 1000 ] && break
        sleep 0.05
      done
      kill -9 $!; wait $!; echo $?
      """.replacingOccurrences(of: "\"$0\"", with: "'\(tapExecutable)'"))
    #expect(said == "137")
    #expect(!SharedMap.exists(path) && SharedMap.exists(journal))
    // Half a record, and half a file of a process that is no more.
    _ = try SharedMap.shell("printf 'half a record' >> '\(journal)'")
    _ = try SharedMap.shell("sh -c 'echo half > \"\(folder)/.partial-$$-\(name)\"'")
  }

  @Test func whatIsThereIsPassedOver() throws {
    let map = try SharedMap()
    try map.shard(1, 2)
    let before = SharedMap.bytes(map.path(1, 2))
    #expect(try map.works(map.command(1, 2)).contains("is there already and is passed over"))
    #expect(try map.works(map.command(1, 2, ["--json"])).isEmpty)
    #expect(SharedMap.bytes(map.path(1, 2)) == before)
    let other = map.command(1, 2, ["--hit", "0.2"])
    try map.bench.refuses(other, map.path(1, 2), "is there already", "--hit 0.2", "--fresh")
    #expect(SharedMap.bytes(map.path(1, 2)) == before)
    try map.works(other + ["--fresh"])
    #expect(SharedMap.bytes(map.path(1, 2)) != before)
  }

  @Test func numbersOutsideTheirRange() throws {
    let map = try SharedMap()
    for wrong in ["0/8", "9/8", "1/0", "3", "a/b", "/", "1/2/3", "1/99999999999999999999", ""] {
      try map.bench.refuses(
        map.asked + ["--out", map.out, "--shard", wrong], "--shard", "i from 1 to n")
    }
    // With more shards than rows some have nothing to do, and are there all the same.
    try map.shard(1000, 1000)
    #expect(SharedMap.exists(map.path(1000, 1000)))
  }

  @Test func shardsThatAreMissingOrTwice() throws {
    let map = try SharedMap()
    for index in 1...2 { try map.shard(index, 2) }
    try map.shard(2, 3)
    let (one, two, other) = (map.path(1, 2), map.path(2, 2), map.path(2, 3))
    let copy = map.bench.file("copy")
    try FileManager.default.copyItem(atPath: two, toPath: copy)
    try map.bench.refuses(["merge"])
    try map.bench.refuses(
      ["merge", two], "1 of 2 shards are missing: 1/2", "tap map", "--shard 1/2")
    try map.bench.refuses(["merge", one, map.path(3, 3)], map.path(3, 3), "cannot be read")
    try map.bench.refuses(["merge", one, two, copy], copy, two, "the same shard")
    try map.bench.refuses(["merge", one, two, one], one, "the same shard")
    try map.bench.refuses(["merge", one, other], one, other, "of 3 and of 2 shards")
    #expect(!SharedMap.exists(map.out))
    try map.merge([2, 1], 2)
    #expect(SharedMap.exists(map.out))
  }

  @Test func shardsOfOtherMaps() throws {
    let map = try SharedMap()
    try map.shard(1, 2)
    let first = map.path(1, 2)
    func refused(_ other: SharedMap, _ word: String, _ more: [String] = []) throws {
      try other.shard(2, 2, more + ["--fresh"])
      try map.bench.refuses(["merge", first, other.path(2, 2)], first, other.path(2, 2), word)
      #expect(!SharedMap.exists(map.out))
    }
    var model = map
    model.asked[2] = Bench.checkpoint.replacingOccurrences(of: "qwen2-audio", with: "salmonn")
    try refused(model, "another model")
    var list = map
    list.asked[4] = map.bench.file("other.json")
    let text = try String(contentsOfFile: map.bench.manifest, encoding: .utf8)
    try (text + "\n").write(toFile: list.asked[4], atomically: true, encoding: .utf8)
    try refused(list, "another list of pairs")
    try refused(map, "another preregistration", ["--preregistration", Bench.rules])
    try refused(map, "other options", ["--minimum-gap", "0.5"])
    // The same options in a list that has changed since.
    try map.shard(2, 2, ["--fresh"])
    try (text + " ").write(toFile: map.bench.manifest, atomically: true, encoding: .utf8)
    try map.bench.refuses(
      ["merge", first, map.path(2, 2)], "since it was computed", "another list of pairs", "--fresh")
    #expect(!SharedMap.exists(map.out))
  }

  @Test func filesThatAreDamagedOrOfAnotherVersion() throws {
    let map = try SharedMap()
    for index in 1...2 { try map.shard(index, 2) }
    let (one, two) = (map.path(1, 2), map.path(2, 2))
    let good = try #require(SharedMap.bytes(two))
    func refused(_ bytes: Data, _ words: String...) throws {
      try bytes.write(to: URL(fileURLWithPath: two))
      let ran = try tap(["merge", one, two])
      #expect(ran.status == 1 && ran.err.contains(two) && !SharedMap.exists(map.out))
      for word in words { #expect(ran.err.contains(word), "\(ran.err)") }
    }
    for length in [good.count - 1, good.count / 2, 90, 40] {
      try refused(good.prefix(length), "is cut off or was edited", "compute its shard again")
    }
    try refused(Data(), "is no file that tap map --shard has written")
    try refused(Data("{}".utf8), "is no file that tap map --shard has written")
    let text = String(decoding: good, as: UTF8.self)
    let edited = text.replacingOccurrences(of: "\"rows\":1", with: "\"rows\":2")
    #expect(edited != text)
    try refused(Data(edited.utf8), "is cut off or was edited")
    // The task that finds such a file does not pass it over.
    try map.bench.refuses(map.command(2, 2), two, "is cut off or was edited", "--fresh")
    try map.shard(2, 2, ["--fresh"])
    // Both by another program, then one of them.
    for path in [one, two] {
      try rewrite(path, in: map) {
        $0.replacing(/"program":"[0-9a-f]{8}/) { _ in "\"program\":\"00000000" }
      }
      try map.bench.refuses(["merge", one, two], one, "another version of tap")
    }
    try map.bench.refuses(["merge", one, two], "with --fresh")
  }

  /// Changes what a shard's file says, with the digest that it then has.
  private func rewrite(_ path: String, in map: SharedMap, _ change: (String) -> String) throws {
    let found = try String(contentsOfFile: path, encoding: .utf8)
    let content = String(found.split(separator: "\n", maxSplits: 1)[1])
    let other = change(content)
    #expect(other != content)
    try other.write(toFile: map.bench.file("content"), atomically: true, encoding: .utf8)
    let digest = try SharedMap.shell("sha256sum '\(map.bench.file("content"))' | cut -d ' ' -f 1")
    try "tap map shard 1 \(digest)\n\(other)".write(
      toFile: path, atomically: true, encoding: .utf8)
  }

  /// Of a pair that two shards divide, both have the unpatched runs, which must be the same to the bit.
  @Test func machinesThatDoNotComputeAlike() throws {
    let map = try SharedMap(SharedMap.small + ["--sites", "connector.out,lm.1.resid_post"])
    for index in 1...2 { try map.shard(index, 2) }
    try rewrite(map.path(2, 2), in: map) {
      $0.replacing(/"clean":\{"divergence":0,/) { _ in "\"clean\":{\"divergence\":1e-9," }
    }
    try map.bench.refuses(
      ["merge", map.path(1, 2), map.path(2, 2)], "do not compute alike", "--fresh")
    #expect(!SharedMap.exists(map.out))
  }

  /// In kB: no room for the journal, none for the shard. What is there afterwards is whole or nothing.
  @Test(arguments: [0, 1]) func aFolderThatFills(_ limit: Int) throws {
    let map = try SharedMap(SharedMap.small + ["--direction", "sufficiency"])
    let ran = try tap(map.command(1, 1), after: "ulimit -f \(limit)")
    #expect(ran.status == 1 && ran.err.hasSuffix("File too large\n"), "\(ran.err)")
    let stored = SharedMap.exists(map.bench.file(".map.json.shard-1-of-1.journal"))
    #expect(stored && (limit == 0 || ran.err.contains("cannot write \(map.path(1, 1))")))
    #expect(!SharedMap.exists(map.path(1, 1)))
    try map.shard(1, 1)
    try map.merge([1], 1)
    #expect(SharedMap.exists(map.out))
  }

  /// A task that is still there on a node that was given up.
  @Test func twoTasksOfOneShard() throws {
    let map = try SharedMap()
    let journal = map.bench.file(".map.json.shard-1-of-1.journal")
    let ran = try tap(map.command(1, 1), after: "exec 9>> '\(journal)'; flock 9")
    #expect(ran.status == 1 && ran.err.contains("another run is under way"), "\(ran.err)")
    #expect(!SharedMap.exists(map.path(1, 1)))
    try map.shard(1, 1)
  }

  /// The folder of what is written is made, by a task as by one process.
  @Test func missingFolderIsMade() throws {
    let map = try SharedMap()
    let folder = map.bench.file("results/today")
    try map.works(map.asked + ["--out", "\(folder)/shared.json", "--shard", "1/1"])
    try map.works(["merge", "\(folder)/shared.json.shard-1-of-1"])
    try map.works(map.asked + ["--out", "\(map.bench.file("results/alone"))/alone.json"])
    #expect(SharedMap.exists("\(folder)/shared.json"))
    #expect(
      SharedMap.bytes("\(folder)/shared.json")
        == SharedMap.bytes("\(map.bench.file("results/alone"))/alone.json"))

    let taken = map.bench.file("taken")
    try Data().write(to: URL(fileURLWithPath: taken))
    let ran = try tap(map.asked + ["--out", "\(taken)/map.json"])
    #expect(ran.status != 0)
    #expect(ran.err.contains("cannot create the folder \(taken)"), "\(ran.err)")
  }
}
