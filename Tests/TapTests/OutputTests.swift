// Results go to files that are theirs: no folder, device, input or other result is replaced, and what would
// count twice, stand for its own control or be no number is refused.

import Foundation
import JSON
import Testing

@Suite struct OutputTests {
  let bench: Bench
  private let base = Bench.recording("kal/a-bat")
  private let source = Bench.recording("kal/a-pat")

  init() throws { bench = try Bench() }

  private func map(_ more: String...) -> [String] {
    [
      "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
      "--limit",
      "2", "--sites", "connector.out", "--windows", "whole", "--text", "0", "--exact-only",
    ] + more
  }

  private func list(_ name: String, _ rows: [(id: String, base: String)]) throws -> String {
    let pairs = rows.map { row in
      """
      {"id": "\(row.id)", "group": "\(row.id)", "audio_clean": "\(source)", "audio_corrupt": "\(row.base)",
       "prompt": "which thing:", "answer": "pat", "foil": "bat"}
      """
    }
    try "{\"pairs\": [\(pairs.joined(separator: ","))]}"
      .write(toFile: bench.file(name), atomically: true, encoding: .utf8)
    return bench.file(name)
  }

  @Test func nothingElseIsReplaced() throws {
    let before = try Data(contentsOf: URL(fileURLWithPath: bench.manifest))
    try bench.refuses(
      map("--out", bench.manifest), "--out", "is read by this command", "name another")
    #expect(try Data(contentsOf: URL(fileURLWithPath: bench.manifest)) == before)
    try bench.refuses(map("--out", bench.folder), "is a folder; name a file")
    try bench.refuses(map("--out", bench.file("new/")), "is a folder; name a file")
    try bench.refuses(
      map("--out", bench.file("m.svg"), "--figure", bench.file("../data-manifests/m.svg")),
      "--figure", "is the file of --out")
    try bench.refuses(map("--out", "\(Bench.checkpoint)/x.json"), "lies in the model's folder")
    let pairs = try list("own.json", [("a", base)])
    try bench.refuses(
      [
        "map", "--model", Bench.checkpoint, "--pairs", pairs, "--sites", "connector.out",
        "--windows",
        "whole", "--text", "0", "--exact-only", "--out", source,
      ], "is read by this command")
    // A pipe stands for a device, which no test should risk.
    let pipe = bench.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    try bench.refuses(map("--out", pipe), "is no plain file; name another")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: bench.folder).sorted()
        == ["evaluation.json", "own.json", "pipe"])
  }

  /// A link stays one, and what it leads to is written.
  @Test func linksAreFollowed() throws {
    let (link, target) = (bench.file("link.json"), bench.file("target.json"))
    try "old".write(toFile: target, atomically: true, encoding: .utf8)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
    #expect(try tap(map("--out", link)).status == 0)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == target)
    #expect(try String(contentsOfFile: target, encoding: .utf8).hasPrefix("{"))
    try FileManager.default.removeItem(atPath: target)
    try bench.refuses(map("--out", link), "leads to no file")
  }

  @Test func noPairCountsTwice() throws {
    let twice = try list(
      "twice.json", [("a", base), ("b", "\(bench.folder)/../artifacts/evaluation/kal/a-bat.flac")])
    try bench.refuses(
      ["map", "--model", Bench.checkpoint, "--pairs", twice, "--out", bench.file("m.json")],
      "pairs a and b are the same recordings, prompt and answers")
    try """
    audio_clean,audio_corrupt,prompt,answer,foil
    \(source),\(base),which thing:,pat,bat
    \(source),\(base),which thing:,pat,bat
    """.write(toFile: bench.file("t.csv"), atomically: true, encoding: .utf8)
    let ran = try tap(["pairs", "--table", bench.file("t.csv"), "--out", bench.file("t.json")])
    #expect(
      ran.status == 1 && ran.err.contains("line 3: is the pair of line 2 again"), "\(ran.err)")
    try bench.refuses(
      ["pairs", "--table", bench.file("t.csv"), "--out", bench.file("t.csv")],
      "is read by this command")
  }

  /// A control that is the base or the source says nothing.
  @Test func controlsAreOthers() throws {
    func patch(_ more: String...) -> [String] {
      [
        "patch", "--model", Bench.checkpoint, "--base", base, "--source", source, "--prompt",
        "which thing:", "--answer", "pat", "--foil", "bat", "--site", "connector.out@560ms..680ms",
      ] + more
    }
    try bench.refuses(patch("--wrong-item", source), "is the source itself", "name another")
    try bench.refuses(patch("--other-take", base), "is the base itself", "name another")
    try bench.refuses(patch("--control", "--shift", "1e300"), "give a smaller shift")
    let pairs = try list("own.json", [("a", base)])
    func taken(_ recording: String, _ take: String) throws -> [String] {
      try "recording,other_take\n\(recording),\(take)\n"
        .write(toFile: bench.file("takes.csv"), atomically: true, encoding: .utf8)
      return [
        "map", "--model", Bench.checkpoint, "--pairs", pairs, "--sites", "connector.out",
        "--windows",
        "whole", "--text", "0", "--exact-only", "--other-takes", bench.file("takes.csv"), "--out",
        bench.file("m.json"),
      ]
    }
    let other = Bench.recording("kal/a-cap")
    try bench.refuses(taken(base, base), "line 2: ", "the recording itself")
    try bench.refuses(taken(other, base), "which is a recording of no pair")
    // The same place, written otherwise.
    let ran = try tap(taken("\(bench.folder)/../artifacts/evaluation/kal/a-bat.flac", other))
    #expect(ran.status == 0, "\(ran.err)")
    let json = try JSON(
      parsing: String(contentsOfFile: bench.file("m.json"), encoding: .utf8), name: "m")
    #expect(json.text.contains("other_take"), "\(json.text.prefix(400))")
  }

  @Test func numbersThatOverflow() throws {
    for sites in ["", ","] {
      try bench.refuses(
        [
          "map", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--split", "discovery",
          "--limit", "1", "--sites", sites, "--out", bench.file("m.json"), "--figure",
          bench.file("m.svg"),
        ], "names no site; name some")
    }
    let ran = try tap(map("--coarse", "--sample", "\(Int.max)", "--out", bench.file("m.json")))
    #expect(ran.status == 0, "\(ran.err)")
    try bench.refuses(
      map("--sample", "5", "--out", bench.file("m.json")), "--sample is of --coarse")
    try bench.refuses(
      map("--shard", "1/\(Int.max)", "--out", bench.file("m.json")), "n up to 100,000")
    _ = try bench.search("s.json", [])
    let confirmed = try tap([
      "confirm", "--search", bench.file("s.json"), "--top", "\(Int.max)", "--random", "\(Int.max)",
      "--out", bench.file("c.json"),
    ])
    #expect(confirmed.status == 0, "\(confirmed.err)")
    try bench.refuses(
      [
        "search", "--model", Bench.checkpoint, "--pairs", bench.manifest, "--path",
        "lm.0.resid_post@-1", "--out", bench.file("p.json"),
      ], "name it without a window or number")
    try bench.refuses(
      [
        "logits", "--model", Bench.checkpoint, "--audio", base, "--prompt", "which thing:",
        "--top=0",
      ],
      "--top should be at least 1")
  }

  /// Estimates are of what was searched.
  @Test func confirmsWhatWasSearched() throws {
    _ = try bench.search("s.json", [])
    let confirm = [
      "confirm", "--search", bench.file("s.json"), "--top", "1", "--random", "0", "--out",
      bench.file("c.json"),
    ]
    #expect(try tap(confirm).status == 0)
    let text = try String(contentsOfFile: bench.manifest, encoding: .utf8)
    try (text + "\n").write(toFile: bench.manifest, atomically: true, encoding: .utf8)
    try bench.refuses(confirm, "since the search the list", "changed", "search again")
    let named = try tap(confirm + ["--pairs", bench.manifest, "--split", "discovery"])
    #expect(named.status == 0, "\(named.err)")
  }
}

@Suite struct OverflowTests {
  /// One weight far too large is a number, and what is computed with it is none.
  @Test func logitsThatAreNoNumbers() throws {
    let broken = try Broken()
    let name = "language_model.model.layers.0.self_attn.q_proj.weight"
    var bytes = try broken.read("model.safetensors")
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = try JSON(parsing: Array(bytes[8..<8 + length]), name: "header")
    let start = try #require(header[name]?["data_offsets"]?.elements?.first?.int)
    bytes[8 + length + start] = 0x7F
    bytes[8 + length + start + 1] = 0x7F
    try broken.write("model.safetensors", bytes)
    let asked = ["--model", broken.folder, "--audio", broken.audio, "--prompt", "first thing:"]
    try broken.refuses(
      [
        ["logits"] + asked, ["logits", "--json"] + asked, ["generate"] + asked,
        ["lens", "--json"] + asked,
      ], "logits are no numbers")
  }

  @Test func constantsThatOverflow() throws {
    let broken = try Broken()
    try broken.edit("config.json") {
      var text = $0["text_config"]!.members!
      text["rope_theta"] = 1e-20
      $0["text_config"] = .object(text)
    }
    try broken.refuses(nil, "\"rope_theta\" is 1e-20; it should be a thousandth or more")
  }

  @Test func anotherFrontEnd() throws {
    let broken = try Broken()
    for (key, value) in [("hop_length", 320), ("sampling_rate", 8000), ("feature_size", 128)] {
      try broken.edit("preprocessor_config.json") { $0[key] = .integer(value) }
      try broken.refuses(
        Array(broken.commands().dropFirst()), "preprocessor_config.json: \"\(key)\" is \(value)",
        "take both from one checkpoint")
      try broken.write(
        "preprocessor_config.json",
        [UInt8](
          Data(
            contentsOf: Broken.root.appendingPathComponent(
              "artifacts/qwen2-audio-small/preprocessor_config.json"))))
    }
    // A folder without one is taken, as many are published so.
    try broken.remove("preprocessor_config.json")
    #expect(try tap(broken.commands()[1]).status == 0)
    try broken.write("preprocessor_config.json", "")
    try broken.refuses([broken.commands()[1]], "preprocessor_config.json: not JSON: it is empty")
  }

  /// What is behind the model's longest sound is said to be left out, by every verb that hears it.
  @Test func longRecordings() throws {
    let broken = try Broken()
    try broken.write(sound: (0..<64_000).map { Int16(8000 * sin(0.1 * Double($0))) })
    let ran = try tap([
      "patch", "--model", Bench.checkpoint, "--base", broken.audio, "--source",
      Bench.recording("kal/a-pat"), "--prompt", "which thing:", "--answer", "pat", "--foil", "bat",
      "--site", "connector.out", "--json",
    ])
    #expect(ran.status == 0 && ran.err.contains("only its beginning is used"), "\(ran.err)")
    #expect(ran.err.components(separatedBy: "only its beginning").count == 2, "\(ran.err)")
    #expect(try JSON(parsing: ran.out, name: "out")["cut_short"]?.elements?.count == 1)
  }
}
