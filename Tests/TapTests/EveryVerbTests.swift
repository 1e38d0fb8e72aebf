// The twelve verbs on the six architectures: on the golden folders of those that the package trains no
// checkpoint of, and on the shipped checkpoints of the others.

import Foundation
import JSON
import Testing

/// Three recordings of a golden folder in pairs whose answers the model gives by chance.
private struct Asked {
  let worded: Worded
  let answer: String
  let foil: String
  var model: String { worded.model }
  var list: String { "\(worded.folder)/pairs.json" }

  init(_ name: String) throws {
    let template =
      "You are a helpful language and speech assistant. You are able to understand the speech content "
      + "that the user provides, and assist the user with a variety of tasks using natural language. "
      + "system assistant"
    var named: [Int: String] = [:]
    var words = 37
    switch name {
    case "whisper":
      words = 131
      named = [100: "<|startoftranscript|>", 103: "<|startofprev|>", 105: "<|notimestamps|>"]
    case "llama-omni":
      words = 53
      named = [
        1: "<|begin_of_text|>", 2: "<|eot_id|>", 3: "<|start_header_id|>", 4: "<|end_header_id|>",
      ]
      for word in template.split(separator: " ") where !named.values.contains(String(word)) {
        named[20 + named.count] = String(word)
      }
    default: break
    }
    worded = try Worded(name, words: words, named: named)
    if name == "whisper" {
      // Its vocabulary has no tokens of languages.
      try worded.write("model/generation_config.json", "{\"is_multilingual\": false}")
    }
    let folder = worded.model
    func logits(_ recording: String) throws -> [String: Double] {
      let ran = try tap([
        "logits", "--model", folder, "--audio", "\(folder)/\(recording).wav", "--prompt", "w5",
        "--top",
        "\(words)", "--json",
      ])
      try #require(ran.status == 0, "\(ran.err)")
      let top = try JSON(parsing: Array(ran.out.utf8), name: "logits")["top"]?.elements ?? []
      return Dictionary(
        uniqueKeysWithValues: top.map { ("\($0["token"]!.int!)", $0["logit"]!.double!) })
    }
    let (base, source) = (try logits("base"), try logits("source"))
    let other = try logits("source_eq")
    let plain = base.keys.filter { named[Int($0)!] == nil }.sorted()
    var best = (gap: 0.0, answer: "", foil: "")
    for a in plain {
      for b in plain {
        let gap = min(base[a]! - base[b]!, source[b]! - source[a]!)
        if gap > best.gap { best = (gap, a, b) }
      }
    }
    try #require(best.gap > 0.01)
    (answer, foil) = ("w\(best.answer)", "w\(best.foil)")
    let isLikeBase = other[best.answer]! > other[best.foil]!
    let pairs = [("base", "source"), isLikeBase ? ("source_eq", "source") : ("base", "source_eq")]
    // The same sound is no other pair, so that each has its own files.
    let rows = try (0..<6).map { i -> String in
      let files = try [pairs[i % 2].0, pairs[i % 2].1].map { name -> String in
        let file = "\(worded.folder)/\(name)-\(i).wav"
        try FileManager.default.copyItem(atPath: "\(folder)/\(name).wav", toPath: file)
        return file
      }
      return "p\(i),g\(i),\(files[0]),\(files[1]),w5,\(answer),\(foil),"
        + ["discovery", "validation"][i / 3]
    }
    try worded.write(
      "table.csv",
      (["id,group,audio_clean,audio_corrupt,prompt,answer,foil,split"] + rows)
        .joined(separator: "\n") + "\n")
  }
}

@Suite struct EveryVerbTests {
  private func works(
    _ arguments: [String], at location: SourceLocation = #_sourceLocation
  ) throws -> String {
    let ran = try tap(arguments)
    #expect(
      ran.status == 0, "\(arguments.joined(separator: " ")): \(ran.status) \(ran.err)",
      sourceLocation: location)
    return ran.out
  }

  /// - Parameters:
  ///   - site: where sound is patched
  ///   - later: a cut at which text is scrubbed
  @Test(arguments: [
    (
      "whisper", "encoder.1.resid_post", "encoder.0.resid_post,decoder.*.resid_post,cross",
      "decoder.0.resid_post"
    ),
    ("llama-omni", "connector.out", "connector,lm.*.resid_post", "lm.0.resid_post"),
    ("moshi", "connector.out", "mimi.tr.0.resid_post,connector,lm.*.resid_post", "lm.0.resid_post"),
  ])
  func onGoldenFolders(_ name: String, _ site: String, _ sites: String, _ later: String) throws {
    let asked = try Asked(name)
    let (model, folder, list) = (asked.model, asked.worded.folder, asked.list)
    let sound = ["--audio", "\(model)/base.wav", "--prompt", "w5"]
    #expect(try works(["inspect", "--model", model]).contains(site.prefix(7)))
    #expect(try !works(["generate", "--model", model] + sound).isEmpty)
    #expect(try works(["logits", "--model", model] + sound).contains("logit"))
    _ = try works(["pairs", "--table", "\(folder)/table.csv", "--out", list])
    let patched = try works([
      "patch", "--model", model, "--base", "\(model)/source.wav", "--source", "\(model)/base.wav",
      "--prompt", "w5", "--answer", asked.answer, "--foil", asked.foil, "--site",
      "\(site)@80ms..400ms",
    ])
    #expect(patched.contains("recovery") || patched.contains("recovered"))
    #expect(
      try works([
        "paths", "--model", model, "--base", "\(model)/source.wav", "--source", "\(model)/base.wav",
        "--prompt", "w5", "--answer", asked.answer, "--foil", asked.foil, "--sender",
        name == "whisper" ? "encoder.0.mlp.out" : site,
      ]).contains("its own value 0.00000"))
    #expect(try works(["lens", "--model", model] + sound).contains("is said from layer"))
    let common = ["--model", model, "--pairs", list, "--minimum-gap", "0.001"]
    #expect(
      try works(
        ["map"] + common + ["--sites", sites, "--dry-run"]
      ).contains("nothing was written"))
    _ = try works(
      ["map"] + common + [
        "--sites", sites, "--out", "\(folder)/map.json", "--figure", "\(folder)/map.svg",
        "--explorer", "\(folder)/explored.json",
      ])
    let explored = try JSON(
      parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(folder)/explored.json"))),
      name: "explored")
    let pair = try #require(explored.at("maps").elements?[0].at("pairs").elements?[0])
    // Moshi speaks while it hears, so that nothing is said behind a patched prompt.
    #expect((pair.at("directions", "sufficiency", "said") == .null) == (name == "moshi"))
    _ = try works(
      ["search"] + common + [
        "--sites", sites, "--steps", "4", "--low-memory", "--out", "\(folder)/search.json",
      ])
    _ = try works([
      "confirm", "--search", "\(folder)/search.json", "--top", "3", "--random", "3", "--out",
      "\(folder)/confirm.json",
    ])
    _ = try works(
      ["subspace"] + common + [
        "--site", "\(site)@sound", "--method", "pca,difference", "--k", "1,2", "--draws", "3",
      ])
    var recovered: [Double] = []
    for (place, window) in [(site, "sound"), (later, "-1")] {
      try asked.worded.write(
        "hypothesis.json",
        ([
          "name": "h",
          "parents": [
            [
              "site": .string(place), "window": .string(window), "feature": "answer",
              "sampler": "equal",
            ]
          ],
        ] as JSON).text)
      _ = try works(
        ["scrub"] + common + [
          "--hypothesis", "\(folder)/hypothesis.json", "--draws", "4", "--out",
          "\(folder)/scrub.json",
        ])
      let result = try asked.worded.read("scrub.json")["results"]?["hypothesis"]
      recovered.append(try #require(result?["recovered"]?.elements?[0].double))
    }
    // All of the sound from a recording with the same answer keeps the answer.
    #expect(recovered[0] > 0.7 && recovered[1] != recovered[0])
  }

  /// Donors are forced to say the same beginning; who says another one has none.
  @Test func scrubbingTakesAnswersWithABeginningInCommon() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("forced-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let root = URL(fileURLWithPath: Bench.checkpoint).deletingLastPathComponent()
      .appendingPathComponent("evaluation").path
    // The same sound is no other pair, so that each has its own files.
    func row(_ group: Int, _ other: String, _ foil: String) throws -> String {
      for (from, to) in [("slt/a-pat", "clean"), ("\(other)/a-bat", "corrupt")] {
        try FileManager.default.copyItem(
          atPath: "\(root)/\(from).flac", toPath: "\(folder)/\(to)-\(group).flac")
      }
      return "g\(group),\(folder)/clean-\(group).flac,\(folder)/corrupt-\(group).flac,transcribe:,"
        + "say the red pat,say the \(foil) bat"
    }
    // The last pair's answers part a word earlier, so that one of its recordings has the answer of the
    // others behind a shorter beginning.
    let rows = try (0..<4).map { try row($0, "slt", "red") } + [row(4, "awb", "blue")]
    try (["group,audio_clean,audio_corrupt,prompt,answer,foil"] + rows).joined(separator: "\n")
      .write(toFile: "\(folder)/table.csv", atomically: true, encoding: .utf8)
    try """
    { "name": "the sound", "parents": [ { "site": "connector.out", "window": "sound",
      "feature": "answer", "sampler": "other" } ] }
    """.write(toFile: "\(folder)/claim.json", atomically: true, encoding: .utf8)
    _ = try works(["pairs", "--table", "\(folder)/table.csv", "--out", "\(folder)/pairs.json"])
    let ran = try tap([
      "scrub", "--model", Bench.checkpoint, "--pairs", "\(folder)/pairs.json", "--hypothesis",
      "\(folder)/claim.json", "--draws", "2", "--out", "\(folder)/scrub.json",
    ])
    #expect(ran.status == 0, "\(ran.err)")
    #expect(ran.err.contains("2 recordings are left out"), "\(ran.err)")
    let found = try JSON(
      parsing: Array(Data(contentsOf: URL(fileURLWithPath: "\(folder)/scrub.json"))), name: "scrub")
    #expect(found["recordings"]?.int == 8)
    let results = try #require(found["results"])
    // Every other recording with an item's answer is the same sound.
    #expect(results["hypothesis"]?["recovered"]?.elements?[0].double == 1)
    let shuffled = try #require(results["shuffled features"]?["recovered"]?.elements?[0].double)
    #expect(shuffled < 0.9)
  }

  @Test(arguments: ["qwen2-audio-small", "salmonn-small", "soundwave-small"])
  func onShippedCheckpoints(_ name: String) throws {
    let root = Broken.root.path
    let model = "\(root)/artifacts/\(name)"
    let scratch = try Broken()
    let folder = scratch.folder
    let said = "\(root)/artifacts/evaluation/kal"
    #expect(try works(["inspect", "--model", model]).contains("connector"))
    let sound = ["--audio", "\(said)/a-pat.flac", "--prompt", "which thing:"]
    #expect(try works(["generate", "--model", model] + sound).contains("pat"))
    #expect(try works(["logits", "--model", model] + sound).contains("pat"))
    _ = try works([
      "patch", "--model", model, "--base", "\(said)/a-bat.flac", "--source", "\(said)/a-pat.flac",
      "--prompt", "which thing:", "--answer", "pat", "--foil", "bat", "--site",
      "connector.out@sound",
    ])
    #expect(
      try works([
        "paths", "--model", model, "--base", "\(said)/a-bat.flac", "--source", "\(said)/a-pat.flac",
        "--prompt", "which thing:", "--answer", "pat", "--foil", "bat", "--sender",
        "connector.out@sound",
      ]).contains("its own value 0.00000"))
    #expect(try works(["lens", "--model", model] + sound).contains("\"pat\" is said from layer"))
    try scratch.write(
      "table.csv",
      "audio_clean,audio_corrupt,prompt,answer,foil\n"
        + "\(said)/a-pat.flac,\(said)/a-bat.flac,which thing:,pat,bat\n")
    _ = try works([
      "pairs", "--table", "\(folder)/table.csv", "--out", "\(folder)/pairs.json",
    ])
    let list = "\(root)/data-manifests/evaluation.json"
    let common = ["--model", model, "--pairs", list, "--limit", "6"]
    let split = ["--split", "discovery"]
    let sites = ["--sites", "encoder.2.resid_post,connector.out,lm.0.resid_post"]
    _ = try works(
      ["map"] + common + split + sites
        + ["--windows", "time:240", "--exact-only", "--out", "\(folder)/map.json"])
    #expect(
      try works(
        ["map"] + common + split + sites
          + ["--windows", "time:80", "--text", "1", "--coarse", "--sample", "1"]
          + ["--exact-only", "--out", "\(folder)/map.json"]
      ).contains("coarse to fine, sufficiency"))
    _ = try works(
      ["search"] + common + split + sites
        + ["--windows", "time:240", "--steps", "2", "--out", "\(folder)/search.json"])
    _ = try works([
      "confirm", "--search", "\(folder)/search.json", "--top", "2", "--random", "2", "--out",
      "\(folder)/confirm.json",
    ])
    _ = try works(
      ["subspace"] + common + [
        "--site", "connector.out@changed+60ms", "--method", "pca", "--k", "1,2", "--draws", "2",
      ])
    try scratch.write(
      "hypothesis.json",
      ([
        "name": "h",
        "parents": [
          [
            "site": "connector.out", "window": "changed+60ms", "feature": "answer",
            "sampler": "equal",
          ]
        ],
      ] as JSON).text)
    _ = try works(
      ["scrub", "--model", model, "--pairs", list, "--limit", "30"] + split + [
        "--hypothesis", "\(folder)/hypothesis.json", "--draws", "2",
      ])
  }
}
