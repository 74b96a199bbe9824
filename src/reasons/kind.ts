import { fault } from "./fault.ts";

const DOWNLOAD = {
  en: "the download failed and this is what the server answered: open the file to read it, then download the archive again (curl -fLO) from the right address",
  zh: "下载失败，此文件是服务器返回的内容：请打开查看，然后从正确的地址重新下载（curl -fLO）",
};

const other = (en: string, command: string, zh = `${en.replace(/^an? /, "")} 文件`) =>
  fault(
    {
      en: `is ${en} file under an archive's name, which BK-Lite cannot unpack`,
      zh: `实际是 ${zh}，BK-Lite 无法解压`,
    },
    {
      en: `unpack it (${command}) and pack the folder again as zip or tar.gz`,
      zh: `请先解压（${command}），再重新打包为 zip 或 tar.gz`,
    },
  );

/** What may lie under an archive's name and be no archive that is taken: exit 65. */
export const kind = {
  "archive.kind.html": fault(
    { en: "is an HTML page, not an archive", zh: "是 HTML 网页，不是压缩包" },
    DOWNLOAD,
  ),
  "archive.kind.json": fault(
    { en: "is a JSON document, not an archive", zh: "是 JSON 文档，不是压缩包" },
    DOWNLOAD,
  ),
  "archive.kind.xml": fault(
    {
      en: "is an XML document (such as an object store's error), not an archive",
      zh: "是 XML 文档（例如对象存储返回的错误），不是压缩包",
    },
    DOWNLOAD,
  ),
  "archive.kind.text": fault(
    { en: "is a text file, not an archive", zh: "是文本文件，不是压缩包" },
    DOWNLOAD,
  ),
  "archive.kind.lfs": fault(
    {
      en: "is a Git LFS pointer: the archive itself was not downloaded with the repository",
      zh: "是 Git LFS 指针文件：压缩包本身没有随仓库一起下载",
    },
    {
      en: "run git lfs pull in the repository, then copy the archive again",
      zh: "请在仓库中执行 git lfs pull，再重新复制压缩包",
    },
  ),
  "archive.kind.tar": fault(
    { en: "is a plain tar, not compressed", zh: "是未压缩的 tar 文件" },
    {
      en: "compress it: gzip -c FILE > fusion-collectors.tar.gz",
      zh: "请压缩：gzip -c 文件 > fusion-collectors.tar.gz",
    },
  ),
  "archive.kind.zstd": other("a zstd", "tar --zstd -xf"),
  "archive.kind.xz": other("an xz", "tar -xJf"),
  "archive.kind.lzma": other("an lzma", "tar --lzma -xf"),
  "archive.kind.lzip": other("an lzip", "tar --lzip -xf"),
  "archive.kind.bzip2": other("a bzip2", "tar -xjf"),
  "archive.kind.lz4": other("an lz4", "lz4 -d FILE | tar -xf -"),
  "archive.kind.compress": other("a compress (.Z)", "tar -xZf"),
  "archive.kind.7z": other("a 7z", "7z x"),
  "archive.kind.rar": other("a RAR", "unrar x"),
  "archive.kind.cab": other("a CAB", "7z x"),
  "archive.kind.cpio": other("a cpio", "cpio -id"),
  "archive.kind.deb": other("a Debian package", "dpkg-deb -x", "Debian 软件包"),
  "archive.kind.rpm": other("an RPM", "rpm2cpio FILE | cpio -id"),
  "archive.kind.iso": other("an ISO image", "7z x", "ISO 镜像"),
  "archive.kind.program": fault(
    { en: "is a program, not an archive", zh: "是可执行程序，不是压缩包" },
    {
      en: "put the archive itself there; a collector's program is declared in packages.json",
      zh: "请放入压缩包本身；采集器程序请在 packages.json 中声明",
    },
  ),
  "archive.kind.pdf": fault(
    { en: "is a PDF document, not an archive", zh: "是 PDF 文档，不是压缩包" },
    DOWNLOAD,
  ),
  "archive.kind.zeros": fault(
    {
      en: "contains nothing but NUL bytes: room was reserved for it and its content never came",
      zh: "内容全为 NUL 字节：只预留了空间，内容没有写入",
    },
    {
      en: "copy the file again and see that the copy ends without an error",
      zh: "请重新复制该文件，并确认复制正常结束",
    },
  ),
};
