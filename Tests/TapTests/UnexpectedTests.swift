// What a folder or a command line holds beyond what is asked for: tensors without a use and options of
// another architecture are said, and never pass in silence.

import Foundation
import JSON
import Testing

@Suite struct UnexpectedTensorTests {
  private let name = "language_model.model.layers.9.mlp.extra"

  /// The verbs that open a model, each with what it writes its result to.
  private func commands(_ broken: Broken, _ bench: Bench) -> [(verb: [String], file: String?)] {
    let model = ["--model", broken.folder]
    let (base, source) = (Bench.recording("kal/a-bat"), Bench.recording("kal/a-pat"))
    let list = ["--pairs", bench.manifest, "--split", "discovery", "--limit", "2"]
    let sites = ["--sites", "connector.out", "--windows", "whole", "--text", "0"]
    func out(_ name: String) -> [String] { ["--out", bench.file(name)] }
    return [
      (["logits"] + model + ["--audio", broken.audio, "--prompt", "first thing:", "--json"], nil),
      (
        ["generate"] + model + ["--audio", broken.audio, "--prompt", "first thing:", "--json"], nil
      ),
      (
        ["patch"] + model + [
          "--base", base, "--source", source, "--prompt", "which thing:", "--answer", "pat",
          "--foil", "bat", "--site", "connector.out", "--json",
        ], nil
      ),
      (
        ["search"] + model + list + sites + ["--method", "attribution"] + out("search.json"),
        "search.json"
      ),
      (["map"] + model + list + sites + ["--exact-only"] + out("map.json"), "map.json"),
      (
        ["confirm", "--search", bench.file("search.json"), "--top", "1", "--random", "0"]
          + out("confirm.json"), "confirm.json"
      ),
      (
        ["subspace"] + model + [
          "--pairs", bench.manifest, "--site", "connector.out@changed", "--limit", "2", "--k", "1",
          "--draws", "0", "--orders", "0",
        ] + out("subspace.json"), "subspace.json"
      ),
      (
        ["scrub"] + model + list + ["--hypothesis", bench.file("claim.json"), "--draws", "1"]
          + out("scrub.json"), "scrub.json"
      ),
    ]
  }

  @Test func everyVerbNamesThem() throws {
    let (broken, bench) = (try Broken(), try Bench())
    try #"{"name": "x", "site": "connector.out"}"#.write(
      toFile: bench.file("claim.json"), atomically: true, encoding: .utf8)
    try broken.addTensor(name)
    let said = "tap: \(broken.folder): 1 tensor is not used"
    for (verb, file) in commands(broken, bench) {
      let ran = try tap(verb)
      try #require(ran.status == 0, "\(verb[0]): \(ran.err)")
      #expect(ran.err.contains(said) && ran.err.contains("\"\(name)\""), "\(verb[0]): \(ran.err)")
      let text =
        try file.map { try String(contentsOfFile: bench.file($0), encoding: .utf8) } ?? ran.out
      let found = try JSON(parsing: text, name: verb[0])
      #expect(found["unexpected_tensors"] == [.string(name)], "\(verb[0])")
      let strict = try tap(verb + ["--strict"])
      #expect(strict.status > 0 && strict.out.isEmpty, "\(verb[0])")
      #expect(strict.err.contains("\"\(name)\"; take config.json and weights"), "\(strict.err)")
    }
    let inspected = try tap(["inspect", "--model", broken.folder])
    #expect(inspected.status == 0 && inspected.out.contains("1 unexpected:\n  \(name)\n"))
    #expect(inspected.err.contains(said))
    #expect(try tap(["inspect", "--model", broken.folder, "--strict"]).status == 1)
    #expect(try tap(["inspect", "--model", Bench.checkpoint, "--strict"]).status == 0)
  }

  /// The file has a layer more than config.json.
  @Test func aLayerTooMany() throws {
    let broken = try Broken()
    try broken.edit("config.json") {
      var text = $0["text_config"]!.members!
      text["num_hidden_layers"] = .integer(text["num_hidden_layers"]!.int! - 1)
      $0["text_config"] = .object(text)
    }
    let ran = try tap(broken.commands()[1])
    #expect(ran.status == 0 && ran.err.contains("\"language_model.model.layers.4."), "\(ran.err)")
    #expect(ran.err.contains(" more; make sure that config.json is that of these weights"))
    try broken.refuses(
      [broken.commands()[1] + ["--strict"]], "tensors are not used", "leave --strict out")
  }

  /// Names that an architecture leaves aside.
  @Test func whatIsIgnoredIsNotSaid() throws {
    let broken = try Broken()
    try broken.addTensor("language_model.model.layers.0.self_attn.rotary_emb.inv_freq")
    let ran = try tap(broken.commands()[1] + ["--strict"])
    #expect(ran.status == 0 && ran.err.isEmpty, "\(ran.err)")
  }
}

@Suite struct WhisperPromptTests {
  let worded: Worded

  init() throws {
    worded = try Worded(
      "whisper", words: 131,
      named: [
        100: "<|startoftranscript|>", 101: "<|en|>", 102: "<|de|>", 103: "<|transcribe|>",
        104: "<|translate|>", 105: "<|notimestamps|>",
      ])
  }

  private func logits(_ more: String...) throws -> Ran {
    try tap(
      ["logits", "--model", worded.model, "--audio", "\(worded.model)/base.wav", "--json", "--all"]
        + more)
  }

  @Test func languageAndTaskAreToldToWhomKnowsThem() throws {
    #expect(try logits().out == logits("--prompt-ids", "100,101,103,105").out)
    #expect(
      try logits("--language", "de", "--translate").out
        == logits("--prompt-ids", "100,102,104,105").out)
    try worded.write("model/generation_config.json", "{\"is_multilingual\": false}")
    #expect(try logits().out == logits("--prompt-ids", "100,105").out)
    #expect(try logits().out != logits("--prompt-ids", "100,101,103,105").out)
    for asked in [["--language", "en"], ["--translate"]] {
      let ran = try tap(
        ["logits", "--model", worded.model, "--audio", "\(worded.model)/base.wav"] + asked)
      #expect(ran.status > 0 && ran.out.isEmpty)
      #expect(ran.err.contains("English-only Whisper, which was trained without"), "\(ran.err)")
    }
  }

  @Test func optionsWithoutEffectAreRefused() throws {
    let ran = try logits("--prompt-ids", "100,105", "--language", "de")
    #expect(ran.status > 0 && ran.err.contains("--prompt-ids are the whole prompt"), "\(ran.err)")
    let broken = try Broken()
    try broken.refuses(
      Array(broken.commands(["--prompt", "first thing:", "--language", "de"])[1...]),
      "the language \"de\" is asked of Qwen2-Audio", "leave --language and --translate out")
  }
}
