// Folders, recordings and prompts that are not what they should be: `tap` ends with a status above 0
// and one message that says what is wrong, where, and what to do next.

import Foundation
import JSON
import Testing

@Suite struct BadFolderTests {
  let broken: Broken

  init() throws { broken = try Broken() }

  /// The other tests mean something only where the whole folder is taken.
  @Test func takesWhatIsWhole() throws {
    for arguments in broken.commands() {
      let ran = try tap(arguments)
      #expect(ran.status == 0 && ran.err.isEmpty && !ran.out.isEmpty, "\(ran.err)")
    }
  }

  @Test func unknownArchitecture() throws {
    try broken.edit("config.json") { $0["model_type"] = "wav2vec2" }
    try broken.refuses(
      nil, "\(broken.folder)/config.json: ", "\"wav2vec2\"; this package runs whisper, qwen2_audio")
    try broken.edit("config.json") { $0["model_type"] = nil }
    try broken.refuses(nil, "config.json: ", "\"model_type\" is missing")
    try broken.write("config.json", "[]")
    try broken.refuses(nil, "config.json: ", "should be a JSON object; fetch it again")
    try broken.write("config.json", "{\"model_type\": ")
    try broken.refuses(nil, "config.json: not JSON, at byte", "unexpected end")
    try broken.remove("config.json")
    try broken.refuses(nil, "config.json: cannot be opened", "check the path")
  }

  @Test func noFolder() throws {
    let absent = "\(broken.folder)/absent"
    try broken.refuses(
      [["inspect", "--model", absent]], "\(absent)/config.json: cannot be opened", "check the path")
    try broken.remove("model.safetensors")
    try broken.refuses(nil, "\(broken.folder): has no weights", "fetch them")
  }

  /// Turns the weights into a shard with this index.
  func shard(_ map: (inout [String: JSON]) -> Void) throws {
    let bytes = try broken.read("model.safetensors")
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = try JSON(parsing: Array(bytes[8..<8 + length]), name: "header").members!
    var names: [String: JSON] = [:]
    for name in header.keys where name != "__metadata__" { names[name] = "one.safetensors" }
    map(&names)
    try broken.write("one.safetensors", bytes)
    try broken.write(
      "model.safetensors.index.json", JSON.object(["weight_map": .object(names)]).text)
  }

  @Test func shards() throws {
    let norm = "language_model.model.norm.weight"
    try shard { $0[norm] = "two.safetensors" }
    try broken.refuses(nil, "\(broken.folder)/two.safetensors: cannot be opened", "fetch the file")
    try shard { $0["ghost"] = "one.safetensors" }
    try broken.refuses(
      nil, "model.safetensors.index.json: \"ghost\" is not in one.safetensors", "fetch them again")
    try shard { $0[norm] = "../one.safetensors" }
    try broken.refuses(nil, "index.json: ", "\"../one.safetensors\" is not a file of this folder")
    try shard { $0 = [:] }
    try broken.refuses(nil, "index.json: ", "names no tensors; fetch it again")
  }

  @Test func weightsThatAreDamaged() throws {
    let file = "\(broken.folder)/model.safetensors: "
    let whole = try broken.read("model.safetensors")
    try broken.write("model.safetensors", Array(whole.dropLast(1)))
    try broken.refuses(nil, file, "truncated", "Fetch or write it again")
    try broken.write("model.safetensors", Array(whole[..<100]))
    try broken.refuses(nil, file, "the header should have", "the file has 100", "again")
    try broken.write("model.safetensors", [0xFF, 0xFF, 0, 0, 0, 0, 0, 0] + [123, 125])
    try broken.refuses(nil, file, "the header should have 65535 bytes, the file has 10", "again")
    try broken.write("model.safetensors", [])
    try broken.refuses(nil, file, "empty", "again")
  }

  @Test func tensorsThatAreNotTheirs() throws {
    let norm = "language_model.model.norm.weight"
    let whole = try broken.read("model.safetensors")
    func entry(_ key: String, _ value: JSON) throws {
      try broken.write("model.safetensors", whole)
      try broken.editHeader {
        var members = $0[norm]!.members!
        members[key] = value
        $0[norm] = .object(members)
      }
    }
    try entry("data_offsets", [.integer(1 << 40), .integer(1 << 40 + 256)])
    try broken.refuses(
      nil, "model.safetensors: ", "\"\(norm)\" ends at byte 1099511628032", "again")
    try entry("data_offsets", [0, 256])
    try broken.refuses(nil, "model.safetensors: ", "overlap", norm, "again")
    try entry("dtype", "F8_E5M2")
    try broken.refuses(nil, "model.safetensors: ", "\"\(norm)\" has type F8_E5M2; ", "can be read")
    try entry("shape", [64, 2])
    try broken.refuses(nil, "model.safetensors: ", norm, "config.json asks for [128]")
    try broken.write("model.safetensors", whole)
    try broken.editHeader { $0[norm] = nil }
    try broken.refuses(nil, "\(broken.folder): ", "\"\(norm)\" is missing", "fetch them again")
  }

  /// Both numbers are NaN as bfloat16, wherever the last tensor begins.
  @Test func weightsThatAreNoNumbers() throws {
    var bytes = try broken.read("model.safetensors")
    bytes.replaceSubrange(bytes.count - 2..<bytes.count, with: [0xC0, 0x7F])
    try broken.write("model.safetensors", bytes)
    try broken.refuses(
      nil, "model.safetensors: ", "holds a NaN or an infinity; fetch or train the weights again")
  }

  @Test func tokenizers() throws {
    let asking = Array(broken.commands()[1...])
    try broken.edit("tokenizer.json") { $0["model"] = ["type": "Unigram", "vocab": []] }
    try broken.refuses(
      asking, "\(broken.folder)/tokenizer.json: model: kind \"Unigram\" is not supported", "BPE")
    try broken.write("tokenizer.json", "{")
    try broken.refuses(asking, "\(broken.folder)/tokenizer.json: not JSON")
    try broken.remove("tokenizer.json")
    try broken.refuses(
      asking, "\(broken.folder): has no tokenizer; tokenizer.json", "should be there")
    // Numbers need no tokenizer.
    let numbers = broken.commands(["--prompt-ids", "1,audio,3,5"])[1]
    #expect(try tap(numbers).status == 0)
  }
}

@Suite struct BadQuestionTests {
  let broken: Broken
  var asking: [[String]] { Array(broken.commands()[1...]) }

  init() throws { broken = try Broken() }

  @Test func prompts() throws {
    func asking(_ prompt: String...) -> [[String]] { Array(broken.commands(prompt)[1...]) }
    try broken.refuses(
      asking("--prompt-ids", "5,7"), "the prompt has 0 audio placeholders", "put one placeholder",
      "token 2")
    try broken.refuses(
      asking("--prompt-ids", "2,7,2"), "the prompt has 2 audio placeholders", "give one placeholder"
    )
    try broken.refuses(
      asking("--prompt-ids", "2,99999"),
      "token 99999 of the prompt is outside the model's range, 0 to"
    )
    try broken.refuses(
      asking("--prompt-ids", "2," + [String](repeating: "5", count: 400).joined(separator: ",")),
      "of the prompt with its audio is outside the model's range, 0 to 319", "shorten the prompt")
    try broken.refuses(asking("--prompt-ids", "2,x"), "\"x\" is not a token", "separated by commas")
    try broken.refuses(
      asking("--prompt", "zyzzyva"), "does not know: \"zyzzyva\"; reword it")
    try broken.refuses(asking(), "give --prompt or --prompt-ids")
    try broken.refuses(asking("--prompt", "a", "--prompt-ids", "2"), "not both")
    try broken.refuses(
      [broken.commands()[2] + ["--limit=-1"]], "--limit is -1; it should be 1 or more")
  }

  /// The model hears three seconds; the command says so and answers.
  @Test func recordingsThatAreTooLong() throws {
    try broken.write(sound: (0..<80_000).map { Int16(8000 * sin(0.1 * Double($0))) })
    for arguments in asking {
      let ran = try tap(arguments)
      #expect(ran.status == 0 && !ran.out.isEmpty)
      #expect(
        ran.err
          == "tap: \(broken.audio) lasts 5 s; the model takes 3 s: only its beginning is used\n")
    }
  }

  @Test func recordings() throws {
    try broken.write(sound: [])
    try broken.refuses(asking, "\(broken.audio): the audio has zero length; replace or remove")
    try broken.write(sound: [Int16](repeating: 0, count: 16_000))
    try broken.refuses(asking, "\(broken.audio): the audio is silent", "record it again")
    try broken.write(sound: [1, 2, 3])
    try broken.refuses(asking, "\(broken.audio): the audio lasts", "3 frames", "pad it")
    for rate in [1, 2_000_000] {
      try broken.write(sound: [1, 2, 3], rate: rate)
      try broken.refuses(
        asking, "\(broken.audio): its sampling rate is given as \(rate) Hz", "export the recording")
    }
    let file = URL(fileURLWithPath: broken.audio)
    try broken.write(sound: (0..<16_000).map { Int16(truncatingIfNeeded: $0 * 77) })
    try Data(contentsOf: file).dropLast(99).write(to: file)
    try broken.refuses(asking, "\(broken.audio): truncated", "copy or download it again")
    try Data("RIFF and more".utf8).write(to: file)
    try broken.refuses(asking, "\(broken.audio): ", "not audio", "give a WAV, FLAC or Ogg file")
    try FileManager.default.removeItem(at: file)
    try broken.refuses(asking, "\(broken.audio): no such file; check the path")
  }
}
